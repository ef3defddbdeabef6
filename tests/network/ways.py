"""A company's network on loopback: an API over TLS, by the company's own authority, and a proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote, urlsplit

import trustme

from plexypay_async.sandbox import Sandbox

HOST = "api.plexypay.test"
"""The API's name, which only the proxy knows: a request that goes past it cannot arrive."""
BASE_URL = f"https://{HOST}"
USER, PASSWORD = "till", "p@ss/word:1"


class Authority:
    """A company's own certificate authority, with its files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.file = folder / "company.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def server_context(self, *names: str, asks_for_client: bool = False, **issued: object) -> ssl.SSLContext:
        """Return the context of a server with a certificate for these names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names, **issued).configure_cert(context)  # type: ignore[arg-type]
        if asks_for_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self._authority.configure_trust(context)
        return context

    def client_files(self) -> tuple[Path, Path]:
        """Return the files of a client's certificate and of its key."""
        made = self._authority.issue_cert("till.example")
        certificate, key = self._folder / "till.pem", self._folder / "till.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return certificate, key


class Front:
    """An API over TLS: what comes in leaves for a sandbox, in clear text, on this machine."""

    port = 0

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[str] = []
        """The first lines and headers of all requests."""
        self.client_names: list[str] = []


class Proxy:
    """A proxy that connects every tunnel to one port, and counts."""

    url = ""

    def __init__(
        self,
        to_port: int,
        *,
        asks: bool = False,
        refuses_with: int | None = None,
        says: bytes | None = None,
        password: str = PASSWORD,
    ) -> None:
        self._to_port = to_port
        self._asks = asks
        self._refuses_with = refuses_with
        self._says = says
        self._password = password
        self.heads: list[str] = []
        """The first lines and headers of all that came."""
        self.tunnels: list[str] = []
        """What was asked for in each tunnel that was opened."""
        self.refused = 0
        self.authorizations: list[str] = []
        """The credentials that came, decoded."""

    @property
    def url_with_credentials(self) -> str:
        return self.url.replace("http://", f"http://{USER}:{quote(self._password, safe='')}@")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        if self._says is not None:
            writer.write(self._says)
            await writer.drain()
            writer.close()
            return
        method, target, _ = head.partition("\r\n")[0].split(" ")
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "proxy-authorization":
                credentials = base64.b64decode(value.removeprefix("Basic "))
                self.authorizations.append(credentials.decode(errors="replace"))
        status = self._refuses_with
        if self._asks and self.authorizations[-1:] != [f"{USER}:{self._password}"]:
            status = 407
        if method != "CONNECT" or status is not None:
            self.refused += 1
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % (status or 405))
            await writer.drain()
            writer.close()
            return
        self.tunnels.append(target)
        upstream = await asyncio.open_connection("127.0.0.1", self._to_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _joined((reader, writer), upstream)


async def _joined(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    heads: list[str] | None = None,
) -> None:
    """Carry bytes both ways until either end closes."""

    async def carry(source: asyncio.StreamReader, drain: asyncio.StreamWriter, *, notes: bool) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await source.read(65536):
                if notes and heads is not None and data[:5] in (b"POST ", b"GET /"):
                    heads.append(data.partition(b"\r\n\r\n")[0].decode("latin-1"))
                drain.write(data)
                await drain.drain()
        with contextlib.suppress(ConnectionError):
            drain.close()

    try:
        await asyncio.gather(carry(one[0], other[1], notes=True), carry(other[0], one[1], notes=False))
    finally:
        await _closed(other[1])


@contextlib.asynccontextmanager
async def api_over_tls(context: ssl.SSLContext, sandbox: Sandbox) -> AsyncGenerator[Front]:
    """Serve a sandbox over TLS on loopback."""
    front = Front()
    inner = urlsplit(sandbox.base_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front.connections += 1
        proved = writer.get_extra_info("peercert") or {}
        front.client_names += [name for _, name in proved.get("subjectAltName", ())]
        upstream = await asyncio.open_connection(inner.hostname, inner.port)
        await _joined((reader, writer), upstream, front.heads)

    async with _listening(serve, context) as front.port:
        yield front


@contextlib.asynccontextmanager
async def proxy_to(
    port: int,
    *,
    asks: bool = False,
    refuses_with: int | None = None,
    says: bytes | None = None,
    password: str = PASSWORD,
) -> AsyncGenerator[Proxy]:
    """Serve a proxy on loopback.

    Args:
        port: Where its tunnels lead.
        asks: Whether it wants a user name and a password.
        refuses_with: The status with which it refuses every tunnel.
        says: What it says in place of an answer, before it closes.
        password: The password that it wants.
    """
    proxy = Proxy(port, asks=asks, refuses_with=refuses_with, says=says, password=password)
    async with _listening(proxy.serve) as own_port:
        proxy.url = f"http://127.0.0.1:{own_port}"
        yield proxy


@contextlib.asynccontextmanager
async def _listening(serve: object, context: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)  # type: ignore[operator]
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await _closed(writer)
            tasks.discard(task)

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
