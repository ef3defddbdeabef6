"""TLS on real sockets: connections begin one after the other; what fails in a handshake has sent nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from benchmarks import certificates
from benchmarks.certificates import Certificates
from benchmarks.server import Behaviour, CannedAnswers, Traffic
from plexypay_async import AsyncPlexyPay, ConnectError, Outcome, PlexyPayError, RetryPolicy
from plexypay_async._http.opening import PACE, PacedConnector
from tests.needs import needs

pytestmark = [pytest.mark.asyncio, needs("cryptography")]

MANY = 60
ONCE = RetryPolicy(max_attempts=1)
HANDSHAKE, APPLICATION_DATA = 22, 23
"""The types of a record, as its first byte shows them: since TLS 1.3 what is encrypted is all of the last."""


@pytest.fixture(scope="module")
def files() -> Iterator[Certificates]:
    """The certificates of a server on loopback."""
    with certificates.made() as made:
        yield made


@pytest.fixture
def trusted(files: Certificates, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Let this process trust them: it has taken its authorities from the system when aiohttp was loaded."""
    context = ssl.create_default_context(cafile=str(files.authority))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    return context


class Server:
    """A server that counts its connections and its requests."""

    def __init__(self) -> None:
        self.url = ""
        self.traffic = Traffic(Behaviour())
        self.accepted = 0
        self.accepted_at_first: int | None = None
        """How many connections there were when the first request came."""

    def connection(self) -> asyncio.Protocol:
        """Answer on one more connection."""
        server = self

        class Counted(CannedAnswers):
            def data_received(self, data: bytes) -> None:
                if server.accepted_at_first is None:
                    server.accepted_at_first = server.accepted
                super().data_received(data)

        return Counted(self.traffic)


@contextlib.asynccontextmanager
async def serving(files: Certificates) -> AsyncGenerator[Server]:
    server, loop = Server(), asyncio.get_running_loop()
    context = certificates.of_server(files.server)

    def hello(*_: object) -> None:
        # A connection counts from its first message, long before its handshake is over.
        server.accepted += 1

    context.sni_callback = hello
    listening = await loop.create_server(server.connection, certificates.HOST, 0, backlog=256, ssl=context)
    server.url = f"https://{certificates.HOST}:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server
    # Its sockets close a turn later.
    await asyncio.sleep(0.01)


async def create(plexy: AsyncPlexyPay, amount: int) -> str:
    link = await plexy.payment_links.create(amount=100 + amount, currency="KZT")
    return link.id


async def failures(plexy: AsyncPlexyPay, count: int) -> list[BaseException]:
    """Return what calls at once have ended in."""
    found = await asyncio.gather(*(create(plexy, n) for n in range(count)), return_exceptions=True)
    assert all(isinstance(each, PlexyPayError) for each in found), found
    return [each for each in found if isinstance(each, BaseException)]


# ------------------------------------------------------------------------------------- one after the other


@pytest.mark.usefixtures("trusted")
async def test_the_first_request_is_sent_before_the_last_connection_is_made(files: Certificates) -> None:
    async with serving(files) as server, AsyncPlexyPay("key", base_url=server.url) as plexy:
        await asyncio.gather(*(create(plexy, n) for n in range(MANY)))

    assert server.traffic.arrived == MANY
    assert server.accepted_at_first is not None
    assert server.accepted_at_first < MANY / 2 < server.accepted


class Request:
    """What a connector asks of a request before it connects."""

    def __init__(self, number: int, *, tls: bool = True) -> None:
        self.number = number
        self._tls = tls

    def is_ssl(self) -> bool:
        return self._tls


class Begun:
    """The connections that have begun, none of which is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.numbers: list[int] = []

        async def begin(_: object, request: Request, *arguments: object) -> None:
            self.numbers.append(request.number)

        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", begin)
        self.connector: Any = PacedConnector()

    def want(self, number: int, *, tls: bool = True) -> asyncio.Task[None]:
        """Want one more connection."""
        return asyncio.create_task(self.connector._create_connection(Request(number, tls=tls), [], None))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def begun(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Begun]:
    """A connector that only notes what begins."""
    noted = Begun(monkeypatch)
    yield noted
    await noted.connector.close()


async def test_one_connection_begins_in_a_turn_in_the_order_in_which_they_are_wanted(begun: Begun) -> None:
    wanted = [begun.want(number) for number in range(6)]
    counts: list[int] = []
    for _ in range(12):
        await turns(1)
        counts.append(len(begun.numbers))
    await asyncio.gather(*wanted)

    assert begun.numbers == list(range(6))
    assert counts[0] == 1
    assert {later - earlier for earlier, later in itertools.pairwise(counts)} == {0, 1}


async def test_a_connection_that_is_wanted_alone_begins_at_once(begun: Begun) -> None:
    for number in range(3):
        task = begun.want(number)
        await turns(1)
        assert begun.numbers[-1] == number
        await task
        await turns(3)


async def test_where_a_turn_takes_long_as_many_begin_as_its_time_is_enough_for(begun: Begun) -> None:
    loop: Any = asyncio.get_running_loop()
    wanted = [begun.want(number) for number in range(50)]
    await turns(1)
    loop.skip(20.5 * PACE)
    await turns(2)

    assert 20 <= len(begun.numbers) <= 25
    await asyncio.gather(*wanted)
    assert begun.numbers == list(range(50))


async def test_whoever_gives_up_takes_no_turn_and_does_not_begin(begun: Begun) -> None:
    wanted = [begun.want(number) for number in range(6)]
    await turns(1)
    for task in wanted[1:5]:
        task.cancel()
    await turns(3)

    assert begun.numbers == [0, 5]
    await asyncio.gather(*wanted, return_exceptions=True)


class StruckTurn:
    """A turn amid which a signal's handler raises, once."""

    def __init__(self) -> None:
        self._was_struck = False

    def done(self) -> bool:
        if not self._was_struck:
            self._was_struck = True
            raise InterruptedError("by the handler of a signal")
        return True


async def test_what_strikes_one_turn_does_not_hold_back_the_others(begun: Begun) -> None:
    struck: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: struck.append(context["exception"]))
    wanted = [begun.want(number) for number in range(6)]
    await turns(1)
    begun.connector._waiting_turns.appendleft(StruckTurn())

    await asyncio.wait_for(asyncio.gather(*wanted), 2)
    assert begun.numbers == list(range(6))
    assert [type(error) for error in struck] == [InterruptedError]


async def test_what_strikes_the_first_one_does_not_hold_back_the_others(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(*_: object, **__: object) -> None:
        raise InterruptedError("by the handler of a signal")

    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "call_soon", strike)
        with pytest.raises(InterruptedError):
            await begun.connector._turn()
    await asyncio.wait_for(asyncio.gather(*(begun.want(number) for number in range(6))), 2)


async def test_plain_connections_begin_together(begun: Begun) -> None:
    wanted = [begun.want(number, tls=False) for number in range(6)]
    await turns(1)

    assert begun.numbers == list(range(6))
    await asyncio.gather(*wanted)


# ------------------------------------------------------------------------------ what fails has sent nothing


async def test_a_certificate_that_nobody_vouches_for_is_refused_on_every_connection(
    files: Certificates,
) -> None:
    async with serving(files) as server, AsyncPlexyPay("key", base_url=server.url, retry=ONCE) as plexy:
        found = await failures(plexy, 20)

    assert all(isinstance(each, ConnectError) and each.outcome is Outcome.NOT_SENT for each in found)
    assert all("proves nothing" in str(each) for each in found)
    assert server.traffic.arrived == 0


async def test_a_certificate_of_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with certificates.made("shop.example") as files:
        context = ssl.create_default_context(cafile=str(files.authority))
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
        async with serving(files) as server, AsyncPlexyPay("key", base_url=server.url, retry=ONCE) as plexy:
            found = await failures(plexy, 3)

    assert all(isinstance(each, ConnectError) and each.outcome is Outcome.NOT_SENT for each in found)
    assert all("proves nothing" in str(each) for each in found)
    assert server.traffic.arrived == 0


async def test_a_handshake_that_hears_nothing_is_no_connection_for_all_that_wait_too() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with AsyncPlexyPay("key", base_url=url, connect_timeout=0.2, retry=ONCE) as plexy:
            found = await failures(plexy, 20)
    await asyncio.sleep(0.01)

    assert all(isinstance(each, ConnectError) and each.outcome is Outcome.NOT_SENT for each in found)


# ----------------------------------------------------------------------------- what all connections share


async def test_all_clients_share_one_context_which_verifies(
    files: Certificates, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    connect, used = loop.create_connection, list[object]()

    async def noted(*arguments: Any, **options: Any) -> Any:
        used.append(options["ssl"])
        return await connect(*arguments, **options)

    monkeypatch.setattr(loop, "create_connection", noted)
    async with serving(files) as server:
        for _ in range(2):
            async with AsyncPlexyPay("key", base_url=server.url) as plexy:
                await asyncio.gather(*(create(plexy, n) for n in range(3)))

    assert len(used) == 6
    assert all(each is trusted for each in used)
    assert trusted.check_hostname
    assert trusted.verify_mode is ssl.CERT_REQUIRED


class Relay:
    """Passes bytes on, and notes the types of the TLS records that a client sends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sent: list[int] = []

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        there, back = await asyncio.open_connection(certificates.HOST, self._port)
        answering = asyncio.create_task(self._back(there, writer))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(5)
                self.sent.append(head[0])
                back.write(head + await reader.readexactly(int.from_bytes(head[3:])))
        back.close()
        await answering

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await there.read(2**16):
                writer.write(part)
        writer.close()


@pytest.mark.usefixtures("trusted")
async def test_a_request_is_one_record_head_and_body_together(files: Certificates) -> None:
    async with serving(files) as server:
        relay = Relay(int(server.url.rpartition(":")[2]))
        async with await asyncio.start_server(relay.pass_on, certificates.HOST, 0) as listening:
            url = f"https://{certificates.HOST}:{listening.sockets[0].getsockname()[1]}"
            async with AsyncPlexyPay("key", base_url=url) as plexy:
                await create(plexy, 1)
                before = len(relay.sent)
                for amount in range(2, 7):
                    await create(plexy, amount)
                requests = relay.sent[before:]
        await asyncio.sleep(0.01)

    assert relay.sent[0] == HANDSHAKE
    assert requests == [APPLICATION_DATA] * 5
