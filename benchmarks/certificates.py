"""The certificates of a server on loopback: an authority made for one run, and what it says of this machine.

An elliptic key on P-256, as most public servers have one now: signing with it takes the server little.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from .contenders import CERTIFICATES

NEEDS = ("cryptography",)
VALID = datetime.timedelta(days=2)
HOST = "127.0.0.1"


class Certificates(NamedTuple):
    """Files of one run, in PEM."""

    authority: Path
    """The authority's certificate: what clients are to trust."""
    server: Path
    """The server's certificate and its key."""

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process of the authority: the same for all contenders."""
        return dict.fromkeys(CERTIFICATES, str(self.authority))


@contextlib.contextmanager
def made(*hosts: str) -> Generator[Certificates]:
    """Make certificates that last for a run, and remove them after it; of this machine unless told."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        files = Certificates(Path(directory, "authority.pem"), Path(directory, "server.pem"))
        for path, content in zip(files, _authority_and_server(hosts or ("localhost", HOST)), strict=True):
            path.touch(mode=0o600)
            path.write_bytes(content)
        yield files


def _authority_and_server(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    began = datetime.datetime.now(datetime.UTC) - VALID / 2
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a benchmark")])
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]

    def about(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(began)
            .not_valid_after(began + VALID)
        )

    own = (
        about(issuer, keys[0])
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                # From Python 3.13 on nothing is verified by an authority that does not say so.
                key_cert_sign=True,
                crl_sign=True,
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(keys[0], hashes.SHA256())
    )
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(host)) if host == HOST else x509.DNSName(host) for host in hosts
    ]
    server = (
        about(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]), keys[1])
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False
        )
        .sign(keys[0], hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return own.public_bytes(pem), server.public_bytes(pem) + secret


def of_server(path: Path) -> ssl.SSLContext:
    """Return what a server speaks with these certificates: TLS 1.3 and nothing before it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(path)
    return context
