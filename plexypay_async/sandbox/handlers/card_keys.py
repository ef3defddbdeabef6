"""The sandbox's RSA key, with which the cards of direct payments are encrypted for it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from ..exchange import Refusal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["CardKeys"]

_BITS = 2048


class CardKeys:
    """A key pair that lives as long as the sandbox runs, made when it is first asked for.

    It needs the package `cryptography`; without it there is no key, and only what is not encrypted is read.
    """

    def __init__(self) -> None:
        self._key: RSAPrivateKey | None = None

    def public_key(self) -> str:
        """Return the public key in PEM.

        Raises:
            Refusal: `cryptography` is not installed.
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        except ImportError:
            raise Refusal(
                5, "the sandbox makes keys with the package cryptography: pip install 'plexypay[direct]'"
            ) from None
        if self._key is None:
            self._key = generate_private_key(65537, _BITS)
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return public.decode()

    def readings(self, field: str) -> list[str]:
        """Return what a field of a card may say.

        That is what was encrypted, with OAEP (SHA-256) or PKCS#1 v1.5; or, where it is no ciphertext, the
        text itself and what it holds in Base64.
        """
        try:
            content = base64.b64decode(field, validate=True)
        except (binascii.Error, ValueError):
            return [field]
        if len(content) == _BITS // 8:
            return _printable(self._decrypted(content))
        return [field, *_printable(content)]

    def _decrypted(self, ciphertext: bytes) -> bytes | None:
        if self._key is None:
            return None
        from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        # With the wrong padding, PKCS#1 v1.5 may give random bytes in place of an error: it comes last.
        for padding in (OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None), PKCS1v15()):
            try:
                return self._key.decrypt(ciphertext, padding)
            except ValueError:
                continue
        return None


def _printable(content: bytes | None) -> list[str]:
    try:
        text = None if content is None else content.decode()
    except UnicodeDecodeError:
        return []
    return [] if text is None or not text.isprintable() else [text]
