"""Which connection a request goes out on: one on which no answer to another can be waiting or on its way."""

from __future__ import annotations

import asyncio
import contextlib
import math
import uuid
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async._core.sending import LATEST, ConnectionMemory, Sending
from plexypay_async._http.direct import DirectRequests
from plexypay_async._http.opening import REST
from plexypay_async._wire.messages import seconds_kept

from .scripted import (
    CODE_1,
    FOUND,
    KEY,
    LINKS,
    SHORT,
    Answer,
    Script,
    Seen,
    Step,
    link,
    now,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
REFUND = "POST /v1/payments/t/refund"
REFUNDED = {"success": True, "id": "r", "originalTransactionId": "t"}


def refunded_anew(seen: Seen, **headers: str) -> Answer:
    """A refund has an id of its own."""
    return Answer(200, {**REFUNDED, "id": f"r-{uuid.uuid4()}"}, headers)


class Arrivals:
    """Plays steps, and notes when each was asked for."""

    def __init__(self, *steps: Answer) -> None:
        self.times: list[float] = []
        self._steps = list(steps)

    def __call__(self, _: Seen) -> Step:
        self.times.append(now())
        return self._steps.pop(0)

    @property
    def apart(self) -> float:
        first, second = self.times
        return second - first


# ---------------------------------------------------------------------------- after an answer that is unclear


@pytest.mark.parametrize(
    ("route", "call", "success"),
    [
        (f"DELETE {LINKS}/pl_1", lambda plexy: plexy.payment_links.cancel("pl_1"), link(status="cancelled")),
        (f"GET {LINKS}/pl_1", lambda plexy: plexy.payment_links.retrieve("pl_1"), link()),
        (
            CREATE,
            lambda plexy: plexy.payment_links.create(
                amount=2_200_000, currency="KZT", order_reference="ORD-1"
            ),
            link(),
        ),
    ],
    ids=["safe", "read", "after look-up"],
)
async def test_what_may_be_sent_twice_lets_the_connection_rest(
    route: str, call: Callable[[AsyncPlexyPay], Any], success: Any
) -> None:
    arrivals = Arrivals(CODE_1, Answer(200, success))
    async with scripted({route: arrivals}, max_connections=1) as (plexy, script):
        await call(plexy)
        assert script.connections == 1
    assert arrivals.apart == pytest.approx(REST, abs=0.03)


async def test_where_there_is_room_for_another_connection_none_is_waited_for() -> None:
    arrivals = Arrivals(CODE_1, *[Answer(200, link())] * 3)
    async with scripted({f"GET {LINKS}/pl_1": arrivals}, max_connections=2) as (plexy, script):
        await plexy.payment_links.retrieve("pl_1")
        assert script.connections == 2
        assert arrivals.apart < REST / 2
        # The one that rests is kept, and used again.
        await asyncio.sleep(REST)
        await asyncio.gather(*(plexy.payment_links.retrieve("pl_1") for _ in range(2)))
        assert script.connections == 2


async def test_so_it_is_after_idle_connections_were_closed_for_their_age() -> None:
    arrivals = Arrivals(Answer(200, link()), CODE_1, Answer(200, link()))
    options: dict[str, Any] = {"max_connections": 4, "keepalive_timeout": 0.05}
    async with scripted({f"GET {LINKS}/pl_1": arrivals}, **options) as (plexy, script):
        await plexy.payment_links.retrieve("pl_1")
        # aiohttp has another mapping of its idle connections then.
        await asyncio.sleep(0.2)
        await plexy.payment_links.retrieve("pl_1")
        assert script.connections == 3
    assert arrivals.times[2] - arrivals.times[1] < REST / 2


async def test_a_connection_that_does_not_rest_is_taken_before_one_that_does() -> None:
    arrivals = Arrivals(Answer(200, link()), Answer(200, link()), CODE_1, Answer(200, link()))
    async with scripted({f"GET {LINKS}/pl_1": arrivals}, max_connections=2) as (plexy, script):
        await asyncio.gather(*(plexy.payment_links.retrieve("pl_1") for _ in range(2)))
        began = now()
        await plexy.payment_links.retrieve("pl_1")
        assert now() - began < REST / 2
        assert script.connections == 2


@pytest.mark.parametrize("undone", [CODE_1, Answer(429, {"message": "slow down"})], ids=["code 1", "429"])
async def test_what_may_not_be_sent_twice_takes_another_connection(undone: Answer) -> None:
    arrivals = Arrivals(undone, Answer(200, REFUNDED))
    async with scripted({REFUND: arrivals}) as (plexy, script):
        assert (await plexy.payments.refund("t")).success
        assert script.connections == 2
    assert arrivals.apart < REST / 2


@pytest.mark.parametrize(
    "answer",
    [Answer(422, {"code": 5, "message": "no"}), Answer(200, {"success": False, "message": "no"})],
    ids=["422", "success: false"],
)
async def test_nothing_goes_out_on_a_connection_that_a_refusal_came_on(answer: Answer) -> None:
    async with scripted({REFUND: answer, f"GET {LINKS}/pl_1": FOUND}) as (plexy, script):
        with pytest.raises(Exception, match="no"):
            await plexy.payments.refund("t")
        await plexy.payment_links.retrieve("pl_1")
        assert script.connections == 2


async def test_a_success_that_names_its_payment_keeps_its_connection() -> None:
    async with scripted({REFUND: refunded_anew}) as (plexy, script):
        for _ in range(3):
            await plexy.payments.refund("t")
        assert script.connections == 1


# --------------------------------------------------------------------------------- how long a server keeps it


@pytest.mark.parametrize(
    ("told", "idle", "connections"),
    [
        ({}, 1.9, 1),
        ({}, 2.1, 2),
        ({"Keep-Alive": "timeout=1"}, 0.4, 1),
        ({"Keep-Alive": "timeout=1"}, 0.6, 2),
        ({"Keep-Alive": "timeout=60, max=100"}, 1.9, 1),
        ({"Keep-Alive": "timeout=60, max=100"}, 2.1, 2),
        ({"Keep-Alive": "max=100"}, 1.9, 1),
    ],
    ids=str,
)
async def test_money_goes_out_well_before_the_server_may_close(
    told: dict[str, str], idle: float, connections: int, skip_time: Callable[[float], None]
) -> None:
    async with scripted({REFUND: lambda seen: refunded_anew(seen, **told)}) as (plexy, script):
        await plexy.payments.refund("t")
        skip_time(idle)
        await plexy.payments.refund("t")
        assert script.connections == connections


async def test_the_seconds_of_a_keep_alive_header() -> None:
    assert seconds_kept("timeout=1") == 1
    assert seconds_kept("max=100, TIMEOUT = 7") == 7
    assert seconds_kept("") == seconds_kept("max=100") == seconds_kept("timeout=soon") == math.inf


# ------------------------------------------------------------------------------ what is remembered of answers


def a_sending() -> Sending:
    sending = Sending(SimpleNamespace(now=lambda: 7.0))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    sending.memory = ConnectionMemory()
    return sending


def answered(sending: Sending, target: str, body: bytes) -> bytes:
    assert sending.memory is not None
    sending.memory.answers.append((target, body, {}, None))
    return body


async def test_an_answer_is_compared_with_the_latest_before_it_on_its_connection() -> None:
    sending = a_sending()
    for number in range(LATEST):
        answered(sending, f"/v1/things/{number}", b"{%d}" % number)
    looked_at = answered(sending, "/v1/things/now", b"{1}" + b"")
    assert sending.told_before(looked_at) == "/v1/things/1"
    # The first is forgotten, and none is compared with itself.
    assert sending.told_before(b"{0}") is None
    assert sending.told_before(answered(sending, "/v1/things/new", b"{9}")) is None


async def test_an_answer_without_a_body_is_like_no_other() -> None:
    sending = a_sending()
    answered(sending, "/v1/things", b"")
    assert sending.told_before(bytes(0)) is None


@pytest.mark.parametrize("is_used_by_another", [False, True])
async def test_a_connection_on_which_another_went_out_before_it_was_distrusted_is_closed(
    is_used_by_another: bool,
) -> None:
    """The other one would take the answer that a proxy sends again for its own."""
    sending, closed = a_sending(), list[bool]()
    sending.connection = SimpleNamespace(close=lambda: closed.append(True))
    assert sending.memory is not None
    sending.memory.used_at = sending.went_at = 5.0
    if is_used_by_another:
        sending.memory.used_at = 6.0
    sending.distrust()
    assert closed == [True] * is_used_by_another
    assert sending.memory.unclear_at == 7.0


async def test_a_connection_is_distrusted_from_the_time_of_its_answer() -> None:
    sending = a_sending()
    sending.distrust()
    assert sending.memory is not None
    assert sending.memory.unclear_at == 7.0
    # What went out on no connection has none to distrust.
    sending.memory = None
    sending.distrust()
    assert sending.told_before(b"{}") is None


# --------------------------------------------------------------------------- what lies on an idle connection


@contextlib.asynccontextmanager
async def _client(kind: str, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[AsyncPlexyPay]:
    own = aiohttp.ClientRequest.send

    async def wrapped(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        return await own(self, conn)

    async with contextlib.AsyncExitStack() as stack:
        session = None
        if kind == "given session":
            session = await stack.enter_async_context(aiohttp.ClientSession())
        if kind == "wrapped send":
            monkeypatch.setattr(aiohttp.ClientRequest, "send", wrapped)
        if kind == "by aiohttp":
            monkeypatch.setattr(DirectRequests, "where_it_helps", lambda session: None)
        yield await stack.enter_async_context(
            AsyncPlexyPay(KEY, base_url=url, session=session, retry=SHORT, timeout=5.0, max_connections=1)
        )


async def _refund(plexy: AsyncPlexyPay) -> str:
    return (await plexy.payments.refund("t")).id or ""


async def _create(plexy: AsyncPlexyPay) -> str:
    made = await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
    return made.id


async def _cancel(plexy: AsyncPlexyPay) -> str:
    cancelled = await plexy.payment_links.cancel("pl_1")
    return "" if cancelled is None else cancelled.id


CALLS: dict[str, tuple[str, Callable[[AsyncPlexyPay], Any], Any]] = {
    "refund": (REFUND, _refund, REFUNDED),
    "create": (CREATE, _create, link()),
    "cancel": (f"DELETE {LINKS}/pl_1", _cancel, link(status="cancelled")),
}


@pytest.mark.parametrize("pause", [0.0, 0.01], ids=["unread", "read"])
@pytest.mark.parametrize("status", [200, 408])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["own session", "given session", "wrapped send", "by aiohttp"])
async def test_what_was_not_asked_for_is_no_answer(
    kind: str, call: str, status: int, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the 408 of a server that closes a connection for having been idle."""
    route, make, answered = CALLS[call]
    own_id = answered["id"]
    unasked = Answer(status, {**answered, "id": "of another"})
    async with serving(Script({route: Answer(200, answered)})) as server:
        async with _client(kind, server.url, monkeypatch) as plexy:
            assert await make(plexy) == own_id
            server.write(unasked.whole)
            if pause:
                await asyncio.sleep(pause)
            elif call != "refund":
                # What may be sent twice looks where nothing was heard for a while.
                (connections,) = plexy._execution.transport._by_loop.values()  # type: ignore[attr-defined]
                connections.heard_at -= 1
            assert await make(plexy) == own_id
        assert server.script.counts == {route: 2}
        assert server.script.connections == 2
