"""What was perhaps done stays unknown until something proves what became of it, at every exit of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    BulkResult,
    ConnectError,
    CreatePaymentLink,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
)

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    DROP,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    SILENCE,
    TAKEN,
    Answer,
    Cut,
    Late,
    Script,
    Seen,
    Server,
    Step,
    code,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
DELETE = f"DELETE {LINKS}/pl_1"
READ = f"GET {LINKS}/pl_1"
LOOK_UPS = f"GET {BY_REFERENCE}/*"
LIST = f"GET {LINKS}"
SILENT = 0.1
"""The silence limit of these tests' clients, and the settling time."""
PROOF = 2 * SILENT
"""So long after the last sending a look-up or a read proves something."""
NOT_CANCELLED = code(5, 422, "This payment link cannot be cancelled")
REFUSED = code(5, 422, "The amount is too small")
ACTIVE, PAID = Answer(200, link(status="active")), Answer(200, link(status="paid"))
EXPIRED, CANCELLED = Answer(200, link(status="expired")), Answer(200, link(status="cancelled"))
GATEWAYS_404 = Answer(404, b"<html><h1>404 Not Found</h1></html>")


@pytest.fixture(autouse=True)
def short_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plexypay_async._core.record.LATE_WORK", "plexypay_async.bulk.intake.LATE_WORK"):
        monkeypatch.setattr(name, SILENT, raising=False)


async def failure(call: Any) -> PlexyPayError:
    with pytest.raises(PlexyPayError) as caught:
        await call
    return caught.value


# ------------------------------------------------------------------------------------- a link's cancelling


def cancel(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.cancel("pl_1")


CANCELS: dict[str, list[Step]] = {
    # aiohttp repeats a DELETE by itself on a connection that was closed before any answer.
    "dropped": [DROP, NOT_CANCELLED],
    "dropped twice": [DROP, DROP, NOT_CANCELLED],
    "silent": [SILENCE, NOT_CANCELLED],
    "cut": [Cut(CANCELLED), NOT_CANCELLED],
    "code 2": [CODE_2, NOT_CANCELLED],
}


@pytest.mark.parametrize("how", CANCELS)
async def test_a_cancel_whose_confirming_read_the_deadline_cuts_is_unknown(how: str) -> None:
    routes = {DELETE: CANCELS[how], READ: Late(3, CANCELLED)}
    async with scripted(routes, timeout=0.4, read_timeout=SILENT) as (plexy, script):
        error = await failure(cancel(plexy))
        assert error.outcome is Outcome.UNKNOWN
        assert script.count(READ) >= 1
        assert script.count(DELETE) == len(CANCELS[how])


@pytest.mark.parametrize("read", [NOT_FOUND, code(3, 400), Answer(401), Answer(200, b"<html>")], ids=repr)
@pytest.mark.parametrize("how", CANCELS)
async def test_a_cancel_that_cannot_be_confirmed_is_unknown(how: str, read: Answer) -> None:
    async with scripted({DELETE: CANCELS[how], READ: read}, read_timeout=SILENT) as (plexy, _):
        assert (await failure(cancel(plexy))).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("state", [PAID, EXPIRED], ids=["paid", "expired"])
@pytest.mark.parametrize("how", CANCELS)
async def test_a_link_in_a_state_that_it_never_leaves_was_not_cancelled(how: str, state: Answer) -> None:
    async with scripted({DELETE: CANCELS[how], READ: state}, read_timeout=SILENT) as (plexy, script):
        error = await failure(cancel(plexy))
        assert error.outcome is Outcome.REJECTED
        assert error.status == 422  # type: ignore[attr-defined]
        assert script.count(DELETE) == len(CANCELS[how])


@pytest.mark.parametrize("how", CANCELS)
async def test_a_link_that_is_still_active_may_yet_be_cancelled(how: str) -> None:
    async with scripted({DELETE: CANCELS[how], READ: ACTIVE}, read_timeout=SILENT) as (plexy, _):
        assert (await failure(cancel(plexy))).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("how", CANCELS)
async def test_a_link_that_is_active_long_after_was_not_cancelled(how: str) -> None:
    steps = [*CANCELS[how][:-1], Late(PROOF + 0.05, NOT_CANCELLED)]
    async with scripted({DELETE: steps, READ: ACTIVE}, read_timeout=SILENT) as (plexy, script):
        # What is answered so late is not waited for but by a client whose silence limit allows it.
        patient = plexy.with_options(read_timeout=1.0)
        error = await failure(cancel(plexy))
        assert error.outcome is Outcome.UNKNOWN
        script.on(DELETE, CODE_2, code(1, 503, Retry_After="1.3"), NOT_CANCELLED)
        error = await failure(cancel(patient))
        assert error.outcome is Outcome.REJECTED


@pytest.mark.parametrize("how", CANCELS)
async def test_a_link_that_is_found_cancelled_was_cancelled(how: str) -> None:
    async with scripted({DELETE: CANCELS[how], READ: CANCELLED}, read_timeout=SILENT) as (plexy, _):
        found = await cancel(plexy)
        assert found.status == "cancelled"


async def test_a_cancel_that_was_refused_at_its_first_sending_is_rejected_as_it_is() -> None:
    async with scripted({DELETE: NOT_CANCELLED, READ: SILENCE}, read_timeout=SILENT) as (plexy, script):
        assert (await failure(cancel(plexy))).outcome is Outcome.REJECTED
        assert script.counts == {DELETE: 1}


# --------------------------------------------------------------------------- a create that was late, not lost


@attrs.define
class LateServer:
    """A server that does the first create late and without a word, and answers the next ones by `steps`."""

    steps: list[Step]
    first: Step = DROP
    work_after: float = 0.8 * PROOF
    missing: Step = NOT_FOUND
    """What is answered to a look-up that finds nothing."""
    references: list[str] = attrs.field(factory=list[str])
    """Of the links that were made."""
    _creates: int = 0
    _server: Server | None = None

    def create(self, seen: Seen) -> Step:
        self._creates += 1
        if self._creates == 1:
            loop, reference = asyncio.get_running_loop(), seen.json["orderReference"]
            loop.call_later(self.work_after, self.references.append, reference)
            return self.first
        step = self.steps[min(self._creates - 2, len(self.steps) - 1)]
        return step(seen) if callable(step) else step

    def look_up(self, seen: Seen) -> Step:
        reference = seen.path.rpartition("/")[2]
        if reference in ("KNOWN", *self.references):
            return Answer(200, link(reference))
        return self.missing(seen) if callable(self.missing) else self.missing

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncGenerator[tuple[AsyncPlexyPay, Script]]:
        options = {"api_key": KEY, "read_timeout": SILENT, "retry": SHORT, "timeout": 5.0, **options}
        script = Script({POST: self.create, LOOK_UPS: self.look_up, LIST: page(link("KNOWN")), "*": CODE_1})
        async with (
            serving(script) as self._server,
            AsyncPlexyPay(base_url=self._server.url, **options) as plexy,
        ):
            yield plexy, script

    def vanish(self, _: Seen) -> Answer:
        """Answer that there is no link, and refuse connections from then on."""
        assert self._server is not None
        assert self._server._server is not None
        self._server._server.close()
        return attrs.evolve(page(), headers={"Connection": "close"})


def create(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


REPEATS: dict[str, Step] = {
    "refused": REFUSED,
    "malformed": code(3, 400),
    "401": Answer(401),
    "403": Answer(403),
    "429": Answer(429),
    "code 1": CODE_1,
    "code 1 for long": code(1, 503, Retry_After="60"),
    "a page of a gateway": Answer(404, b"<html>"),
    "a redirect": Answer(302, b"", {"Location": "/"}),
}
FIRST: dict[str, Step] = {
    "dropped": DROP,
    "silent": SILENCE,
    "code 2": CODE_2,
    "502": Answer(502, b"<html>"),
    "408": Answer(408),
    "an empty 200": Answer(200),
    "a captive portal": Answer(200, b"<html>"),
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("how", REPEATS)
async def test_a_create_that_is_late_stays_unknown_whatever_is_said_to_its_repeat(
    how: str, first: str
) -> None:
    late = LateServer([REPEATS[how]], FIRST[first], work_after=0.3 if FIRST[first] is SILENCE else 0.15)
    retry = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
    async with late.client(retry=retry) as (plexy, script):
        error = await failure(create(plexy))
        assert error.outcome is Outcome.UNKNOWN
        assert error.order_reference == "ORD-1"
        # It had not been done yet, and was looked for.
        assert late.references == []
        assert script.count(LOOK_UPS) >= 1
        while not late.references:
            await asyncio.sleep(0.01)


async def test_a_create_whose_repeat_finds_no_server_stays_unknown() -> None:
    late = LateServer([REFUSED])
    async with late.client() as (plexy, script):
        script.on(LOOK_UPS, NOT_FOUND)
        script.on(LIST, late.vanish)
        error = await failure(create(plexy))
        assert error.outcome is Outcome.UNKNOWN
        assert isinstance(error.__cause__, ConnectError)
        assert script.count(POST) == 1


async def test_a_create_whose_repeat_the_deadline_cuts_stays_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._http.guard.REST", 0.01)
    late = LateServer([CODE_1, SILENCE], work_after=1)
    async with late.client(timeout=0.9 * SILENT) as (plexy, script):
        error = await failure(create(plexy))
        assert isinstance(error, DeadlineExceededError)
        assert error.outcome is Outcome.UNKNOWN
        assert script.count(POST) == 3


async def test_a_create_whose_pause_the_deadline_cuts_stays_unknown() -> None:
    late = LateServer([code(1, 503)], work_after=1)
    retry = RetryPolicy(max_attempts=100, base=0.05, cap=0.1)
    async with late.client(timeout=0.5, retry=retry) as (plexy, _):
        assert (await failure(create(plexy))).outcome is Outcome.UNKNOWN


async def test_a_create_whose_client_is_closed_at_its_repeat_stays_unknown() -> None:
    closing: list[asyncio.Task[None]] = []
    late = LateServer([])

    async with late.client() as (plexy, _):

        def close(_: Seen) -> Step:
            closing.append(asyncio.get_running_loop().create_task(plexy.close()))
            return code(1, 503, Retry_After="0.05")

        late.steps.append(close)
        error = await failure(create(plexy))
        assert error.outcome is Outcome.UNKNOWN
        await asyncio.gather(*closing)


@pytest.mark.parametrize("outage", ["wait", "fail"])
async def test_a_create_that_waits_for_the_budget_in_vain_stays_unknown(
    outage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async._core.retry_budget.REFILL", 0)
    late = LateServer([CODE_1], work_after=1)
    retry = attrs.evolve(SHORT, outage=outage)
    async with late.client(max_connections=1, timeout=0.5, retry=retry) as (plexy, script):
        plexy._execution.budget.tokens = 0
        error = await failure(create(plexy))
        assert isinstance(error, DeadlineExceededError)
        assert error.outcome is Outcome.UNKNOWN
        assert script.count(POST) == 1


async def test_a_create_whose_key_fails_at_its_repeat_stays_unknown() -> None:
    broken = False

    def key() -> str:
        if broken:
            raise LookupError("the vault is sealed")
        return KEY

    def fail(_: Seen) -> Step:
        nonlocal broken
        broken = True
        return CODE_1

    late = LateServer([fail], work_after=1)
    async with late.client(api_key=key) as (plexy, script):
        assert (await failure(create(plexy))).outcome is Outcome.UNKNOWN
        assert script.count(POST) == 2


@pytest.mark.parametrize(
    ("repeat", "outcome"),
    [(REFUSED, Outcome.REJECTED), (code(3, 400), Outcome.REJECTED), (Answer(401), Outcome.REJECTED)],
    ids=["422", "400", "401"],
)
async def test_a_look_up_long_after_the_last_sending_proves_that_it_was_not_done(
    repeat: Step, outcome: Outcome
) -> None:
    late = LateServer([repeat], code(2, 500, Retry_After=f"{PROOF + 0.05}"), work_after=60)
    async with late.client() as (plexy, _):
        assert (await failure(create(plexy))).outcome is outcome


async def test_a_look_up_long_after_the_last_sending_and_no_server_is_not_sent() -> None:
    late = LateServer([REFUSED], code(2, 500, Retry_After=f"{PROOF + 0.05}"), work_after=60)
    async with late.client() as (plexy, script):
        script.on(LOOK_UPS, NOT_FOUND)
        script.on(LIST, late.vanish)
        error = await failure(create(plexy))
        assert isinstance(error, ConnectError)
        assert error.outcome is Outcome.NOT_SENT
        assert script.count(POST) == 1


@pytest.mark.parametrize("proved", [True, False], ids=["a proved path", "a path not proved yet"])
async def test_a_gateways_404_to_a_look_up_proves_nothing(proved: bool) -> None:
    late = LateServer(
        [REFUSED], code(2, 500, Retry_After=f"{PROOF + 0.05}"), work_after=2, missing=GATEWAYS_404
    )
    async with late.client() as (plexy, script):
        if proved:
            script.on(POST, CODE_2)
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.create(amount=1, currency="KZT", order_reference="KNOWN")
            script.on(POST, late.create)
        error = await failure(create(plexy))
        assert isinstance(error, OutcomeUnknownError)
        assert error.outcome is Outcome.UNKNOWN


# ------------------------------------------------------------------------------------- late, in a bulk job


def row(number: int = 1) -> CreatePaymentLink:
    return CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference=f"ORD-{number}")


async def results_of(plexy: AsyncPlexyPay, **options: Any) -> list[BulkResult]:
    return [result async for result in plexy.payment_links.create_many([row()], **options)]


BULK_REPEATS: dict[str, list[Step]] = {
    "refused": [REFUSED],
    "malformed": [code(3, 400)],
    "a redirect": [Answer(302)],
    "busy, then refused": [CODE_1, Answer(429), REFUSED],
    "busy, then taken": [CODE_1, CODE_1, TAKEN],
    "lost, then refused": [DROP, REFUSED],
}


@pytest.mark.parametrize("how", BULK_REPEATS)
@pytest.mark.parametrize("journal", [True, False], ids=["journal", "no journal"])
async def test_a_row_that_was_late_is_recovered_in_the_same_job(
    how: str, journal: bool, tmp_path: Path
) -> None:
    late = LateServer(BULK_REPEATS[how], CODE_2)
    options = {"journal": tmp_path / "j.journal"} if journal else {}
    async with late.client() as (plexy, script):
        (result,) = await results_of(plexy, timeout=5, **options)
        assert result.error is None
        assert result.recovered
        assert result.link is not None
        assert result.link.order_reference == "ORD-1"
        assert late.references == ["ORD-1"]
        if journal:
            sent = script.count()
            (again,) = await results_of(plexy, **options)
            assert again.from_journal
            assert script.count() == sent


async def test_a_row_that_never_came_is_refused_in_the_same_job(tmp_path: Path) -> None:
    late = LateServer([REFUSED], CODE_2, work_after=60)
    async with late.client() as (plexy, _):
        began = asyncio.get_running_loop().time()
        (result,) = await results_of(plexy, journal=tmp_path / "j.journal")
        assert result.error is not None
        assert result.error.outcome is Outcome.REJECTED
        assert asyncio.get_running_loop().time() - began >= PROOF


async def test_a_row_that_was_late_is_recovered_by_a_later_run(tmp_path: Path) -> None:
    late = LateServer([REFUSED], CODE_2)
    async with late.client() as (plexy, script):
        (result,) = await results_of(plexy, journal=tmp_path / "j.journal", timeout=0.1)
        assert result.error is not None
        assert result.error.outcome is Outcome.UNKNOWN
        assert late.references == []
        sent = script.count(POST)
        await asyncio.sleep(PROOF)
        (again,) = await results_of(plexy, journal=tmp_path / "j.journal")
        assert again.recovered
        assert again.link is not None
        assert script.count(POST) == sent
        assert late.references == ["ORD-1"]
