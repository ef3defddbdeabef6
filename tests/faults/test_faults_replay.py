"""What is repeated after which failure, by replay class: the whole matrix, and what the server saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConnectError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    Replay,
    RetryPolicy,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnreadableResponseError,
)

from .scripted import (
    CODE_1,
    CODE_2,
    CREATED,
    DROP,
    FOUND,
    KEY,
    LINKS,
    RESET,
    SHORT,
    SILENCE,
    Answer,
    Cut,
    Script,
    Step,
    code,
    link,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

THREE = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
REFERENCE = "ORD-1"
LATER = datetime(2099, 1, 1, tzinfo=UTC)


@attrs.frozen
class Case:
    """A call, and how its class takes each failure."""

    name: str
    route: str
    success: Answer
    call: Callable[[AsyncPlexyPay], Awaitable[Any]]
    operation: str
    replay: Replay
    twice: bool = False
    """Whether aiohttp sends it a second time by itself after a disconnect."""
    order_reference: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def repeatable(self) -> bool:
        return self.replay in (Replay.SAFE, Replay.SAME_KEY)


def _raw(replay: Replay) -> Callable[[AsyncPlexyPay], Awaitable[Any]]:
    return lambda plexy: plexy.request(
        "POST", "/v1/things", json={"a": 1}, headers={"Idempotency-Key": "one"}, replay=replay
    )


def _raw_case(replay: Replay) -> Case:
    return Case(
        f"request-{replay.value}",
        "POST /v1/things",
        Answer(200, {"ok": True}),
        _raw(replay),
        "POST /v1/things",
        replay,
    )


SAFE_CASES = [
    Case(
        "retrieve",
        f"GET {LINKS}/pl_1",
        FOUND,
        lambda plexy: plexy.payment_links.retrieve("pl_1"),
        "payment_links.retrieve",
        Replay.SAFE,
        twice=True,
    ),
    Case(
        "update_expiration",
        f"PATCH {LINKS}/pl_1",
        FOUND,
        lambda plexy: plexy.payment_links.update_expiration("pl_1", expires_at=LATER),
        "payment_links.update_expiration",
        Replay.SAFE,
    ),
    Case(
        "cancel",
        f"DELETE {LINKS}/pl_1",
        Answer(200, link(status="cancelled")),
        lambda plexy: plexy.payment_links.cancel("pl_1"),
        "payment_links.cancel",
        Replay.SAFE,
        twice=True,
    ),
]
WITH_REFERENCE = Case(
    "create-with-reference",
    f"POST {LINKS}",
    CREATED,
    lambda plexy: plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=REFERENCE),
    "payment_links.create",
    Replay.AFTER_LOOKUP,
    order_reference=REFERENCE,
)
WITHOUT_REFERENCE = Case(
    "create-without-reference",
    f"POST {LINKS}",
    CREATED,
    lambda plexy: plexy.payment_links.create(amount=2_200_000, currency="KZT"),
    "payment_links.create",
    Replay.CREATE,
)
SAME_KEY = _raw_case(Replay.SAME_KEY)
MONEY = _raw_case(Replay.MONEY)
RAW_CREATE = _raw_case(Replay.CREATE)
EVERY = [*SAFE_CASES, WITH_REFERENCE, WITHOUT_REFERENCE, SAME_KEY, MONEY, RAW_CREATE]
REPEATABLE = [*SAFE_CASES, SAME_KEY]
NEVER_BLINDLY = [WITHOUT_REFERENCE, RAW_CREATE, MONEY]
LOST: dict[str, Step] = {"disconnect": DROP, "reset": RESET, "read-timeout": SILENCE}

each = pytest.mark.parametrize("case", EVERY, ids=str)
lost = pytest.mark.parametrize("how", LOST)


async def _fails(
    case: Case, *steps: Step, listening: bool = True, **options: Any
) -> tuple[PlexyPayError, Script]:
    options = {"retry": THREE, **options}
    async with scripted({case.route: [*steps]}, listening=listening, **options) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await case.call(plexy)
    error = caught.value
    assert error.operation == case.operation
    assert error.order_reference == case.order_reference
    return error, script


async def _succeeds(case: Case, *steps: Step, **options: Any) -> Script:
    async with scripted({case.route: [*steps, case.success]}, **options) as (plexy, script):
        assert await case.call(plexy) is not None
    return script


def _types(error: PlexyPayError) -> list[type[PlexyPayError]]:
    return [type(earlier) for earlier in error.attempts]


# ------------------------------------------------------------------------------------------------ not sent


@each
async def test_refused_connections_are_tried_again_in_every_class(case: Case) -> None:
    error, script = await _fails(case, case.success, listening=False)
    assert type(error) is ConnectError
    assert error.outcome is Outcome.NOT_SENT
    assert _types(error) == [ConnectError, ConnectError]
    assert script.counts == {}


@each
async def test_a_call_that_was_refused_is_sent_once_the_server_is_there(case: Case) -> None:
    policy = RetryPolicy(max_attempts=1000, base=0.002, cap=0.005)
    async with (
        serving({case.route: case.success}, listening=False) as server,
        AsyncPlexyPay(KEY, base_url=server.url, retry=policy, timeout=5) as plexy,
    ):
        calling = asyncio.ensure_future(case.call(plexy))
        await asyncio.sleep(0.02)
        await server.listen()
        assert await calling is not None
        assert server.script.counts == {case.route: 1}


# -------------------------------------------------------------------------------------------------- code 1


@each
async def test_code_1_is_repeated_in_every_class(case: Case) -> None:
    script = await _succeeds(case, CODE_1, CODE_1)
    assert script.counts == {case.route: 3}
    assert len({seen.body for seen in script.seen}) == 1


@each
async def test_code_1_for_ever_ends_in_itself(case: Case) -> None:
    error, script = await _fails(case, CODE_1)
    assert type(error) is ServiceUnavailableError
    assert error.outcome is Outcome.REJECTED
    assert _types(error) == [ServiceUnavailableError, ServiceUnavailableError]
    assert script.counts == {case.route: 3}


@each
async def test_a_429_is_repeated_in_every_class(case: Case) -> None:
    script = await _succeeds(case, Answer(429, {"code": 5, "message": "slow down"}))
    assert script.counts == {case.route: 2}


# -------------------------------------------------------------------------------------------------- code 2


@pytest.mark.parametrize("case", [*REPEATABLE, WITHOUT_REFERENCE, RAW_CREATE], ids=str)
async def test_code_2_is_repeated_where_nothing_can_be_done_twice(case: Case) -> None:
    script = await _succeeds(case, CODE_2)
    assert script.counts == {case.route: 2}


@pytest.mark.parametrize("case", SAFE_CASES, ids=str)
async def test_code_2_for_ever_ends_a_safe_call_in_itself(case: Case) -> None:
    error, script = await _fails(case, CODE_2)
    assert type(error) is SomethingWentWrongError
    assert error.outcome is Outcome.UNKNOWN
    assert _types(error) == [SomethingWentWrongError] * 2
    assert script.counts == {case.route: 3}


@pytest.mark.parametrize("case", [SAME_KEY, WITHOUT_REFERENCE, RAW_CREATE], ids=str)
async def test_code_2_for_ever_leaves_the_outcome_of_a_create_unknown(case: Case) -> None:
    error, script = await _fails(case, CODE_2)
    assert type(error) is OutcomeUnknownError
    assert error.outcome is Outcome.UNKNOWN
    assert type(error.__cause__) is SomethingWentWrongError
    assert script.counts == {case.route: 3}


@pytest.mark.parametrize(
    "answer",
    [CODE_2, Answer(500, {"message": "failed to handle command"}), Answer(502, b"<html>"), Answer(504)],
    ids=["code 2", "a message alone", "502", "504"],
)
async def test_money_is_never_moved_again_after_code_2(answer: Answer) -> None:
    error, script = await _fails(MONEY, answer)
    assert type(error) is OutcomeUnknownError
    assert error.outcome is Outcome.UNKNOWN
    assert type(error.__cause__) is SomethingWentWrongError
    assert script.counts == {MONEY.route: 1}


async def test_code_2_after_code_1_stops_a_call_that_moves_money() -> None:
    error, script = await _fails(MONEY, CODE_1, CODE_2)
    assert type(error) is OutcomeUnknownError
    assert _types(error)[0] is ServiceUnavailableError
    assert script.counts == {MONEY.route: 2}


@pytest.mark.parametrize("last", [CODE_1, code(3, 400), Answer(401)], ids=["code 1", "code 3", "401"])
async def test_a_later_refusal_does_not_hide_that_an_earlier_attempt_is_unknown(last: Answer) -> None:
    error, script = await _fails(RAW_CREATE, CODE_2, last)
    assert type(error) is OutcomeUnknownError
    assert error.outcome is Outcome.UNKNOWN
    assert script.count() >= 2


@pytest.mark.parametrize("last", [CODE_1, code(3, 400), Answer(401)], ids=["code 1", "code 3", "401"])
@pytest.mark.parametrize("case", SAFE_CASES[1:], ids=str)
async def test_nor_does_it_on_a_write_that_is_safe_to_repeat(case: Case, last: Answer) -> None:
    error, _ = await _fails(case, CODE_2, last)
    assert type(error) is OutcomeUnknownError
    assert "safe to call again" in str(error)


async def test_a_read_has_no_outcome_to_hide() -> None:
    error, _ = await _fails(SAFE_CASES[0], CODE_2, code(4, 404))
    assert type(error) is NotFoundError


# --------------------------------------------------------------------------------- sent and outcome unknown


@lost
@pytest.mark.parametrize("case", REPEATABLE, ids=str)
async def test_a_lost_answer_is_asked_for_again_where_that_is_safe(case: Case, how: str) -> None:
    # aiohttp's own second sending meets a step of its own.
    own = 2 if case.twice and how != "read-timeout" else 1
    script = await _succeeds(case, *[LOST[how]] * own, read_timeout=0.05)
    assert script.counts == {case.route: own + 1}
    assert {seen.headers.get("idempotency-key") for seen in script.seen} == (
        {"one"} if case is SAME_KEY else {None}
    )
    assert len({seen.body for seen in script.seen}) == 1


@lost
@pytest.mark.parametrize("case", REPEATABLE, ids=str)
async def test_answers_lost_for_ever_end_in_an_unknown_outcome(case: Case, how: str) -> None:
    error, script = await _fails(case, LOST[how], read_timeout=0.03)
    assert type(error) is OutcomeUnknownError
    assert error.outcome is Outcome.UNKNOWN
    assert _types(error)[:2] == [OutcomeUnknownError] * 2
    own = 2 if case.twice and how != "read-timeout" else 1
    assert script.counts == {case.route: 3 * own}


@lost
@pytest.mark.parametrize("case", NEVER_BLINDLY, ids=str)
async def test_a_lost_answer_of_a_create_or_a_payment_is_never_repeated(case: Case, how: str) -> None:
    error, script = await _fails(case, LOST[how], case.success, read_timeout=0.05)
    assert type(error) is OutcomeUnknownError
    assert error.outcome is Outcome.UNKNOWN
    assert isinstance(error.__cause__, PlexyPayError)
    assert script.counts == {case.route: 1}


async def test_an_answer_lost_on_a_connection_in_use_is_no_connection_error() -> None:
    """A request on a connection kept alive may have arrived, even where the server has just closed it."""
    read = f"GET {LINKS}/pl_1"
    async with scripted({read: FOUND, MONEY.route: [DROP, MONEY.success]}) as (plexy, script):
        await plexy.payment_links.retrieve("pl_1")
        with pytest.raises(OutcomeUnknownError):
            await MONEY.call(plexy)
        assert script.connections == 1
        assert script.counts == {read: 1, MONEY.route: 1}


# --------------------------------------------------------------------------------- answer cut in its body


@pytest.mark.parametrize("case", REPEATABLE, ids=str)
async def test_a_success_cut_in_its_body_is_asked_for_again_where_that_is_safe(case: Case) -> None:
    script = await _succeeds(case, Cut(case.success))
    assert script.counts == {case.route: 2}


@pytest.mark.parametrize("case", REPEATABLE, ids=str)
async def test_a_success_cut_for_ever_is_done_where_it_says_so(case: Case) -> None:
    error, script = await _fails(case, Cut(case.success))
    if case.name == "request-same_key":
        # Of a raw request nothing is known that would prove it.
        assert type(error) is OutcomeUnknownError
        assert _types(error) == [UnreadableResponseError] * 3
    else:
        assert type(error) is UnreadableResponseError
        assert error.outcome is Outcome.DONE
        assert error.status == case.success.status
        assert _types(error) == [UnreadableResponseError] * 2
    assert script.counts == {case.route: 3}


@pytest.mark.parametrize("case", NEVER_BLINDLY, ids=str)
async def test_a_success_of_a_create_or_a_payment_cut_in_its_body_is_not_repeated(
    case: Case,
) -> None:
    error, script = await _fails(case, Cut(case.success), case.success)
    if case.name.startswith("request-"):
        # Of a raw request nothing is known that would prove it.
        assert type(error) is OutcomeUnknownError
    else:
        assert type(error) is UnreadableResponseError
        assert error.outcome is Outcome.DONE
        assert error.status == case.success.status
        assert _types(error) == []
    assert script.counts == {case.route: 1}


@each
async def test_a_refusal_cut_in_its_body_goes_by_its_status(case: Case) -> None:
    error, script = await _fails(case, Cut(code(1, 400)))
    assert type(error).__name__ == "InvalidRequestError"
    assert script.counts == {case.route: 1}


async def test_a_503_cut_in_its_body_may_have_been_done() -> None:
    """Without its body nothing says that it is code 1."""
    error, script = await _fails(MONEY, Cut(CODE_1))
    assert type(error) is OutcomeUnknownError
    assert script.counts == {MONEY.route: 1}


# ------------------------------------------------------------------------------------------ policy and raw


async def test_one_attempt_is_one_attempt() -> None:
    once = RetryPolicy(max_attempts=1, base=0.002, cap=0.01)
    error, script = await _fails(SAFE_CASES[0], CODE_1, retry=once)
    assert error.attempts == ()
    assert script.count() == 1


async def test_codes_that_the_policy_does_not_name_are_raised() -> None:
    only_one = RetryPolicy(base=0.002, cap=0.01, codes=[1], money_codes=[])
    error, script = await _fails(SAFE_CASES[0], CODE_2, retry=only_one)
    assert type(error) is SomethingWentWrongError
    assert script.count() == 1
    error, script = await _fails(MONEY, CODE_1, retry=only_one)
    assert type(error) is ServiceUnavailableError
    assert script.count() == 1


@pytest.mark.parametrize(
    ("method", "times"), [("GET", 2), ("PUT", 2), ("PATCH", 2), ("DELETE", 2), ("POST", 1)]
)
async def test_a_raw_request_is_safe_but_for_a_post_which_may_move_money(method: str, times: int) -> None:
    async with scripted({"*": [CODE_2, Answer(200, {"ok": True})]}, retry=SHORT) as (plexy, script):
        if times == 1:
            with pytest.raises(OutcomeUnknownError, match="Money may have moved"):
                await plexy.request(method, "/v1/things")
        else:
            assert await plexy.request(method, "/v1/things") == {"ok": True}
        assert script.count() == times


async def test_a_raw_create_with_a_look_up_has_none_and_is_raised() -> None:
    async with scripted({"*": DROP}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await plexy.request("POST", "/v1/things", replay=Replay.AFTER_LOOKUP)
        assert script.counts == {"POST /v1/things": 1}


async def test_a_refusal_after_a_lost_answer_says_nothing_of_the_first_attempt() -> None:
    refusal = Answer(200, {"success": False, "message": "duplicate key"})
    async with scripted({"POST /v1/wallet/authorize": [DROP, refusal]}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError, match="duplicate key") as caught:
            await plexy.wallet.authorize(amount=100, idempotency_key="key-1")
        assert script.count() == 2
    assert caught.value.idempotency_key == "key-1"
    assert "idempotency_key='key-1'" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [{"code": 2, "message": "something went wrong", "type": "apiError"}, {"success": "false"}],
    ids=["error", "text"],
)
async def test_a_success_status_that_says_neither_leaves_money_unknown(answer: dict[str, Any]) -> None:
    async with scripted({"*": Answer(200, answer)}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError, match=r"transactions\.history\('t-1'\)"):
            await plexy.payments.refund("t-1")
        assert script.count() == 1


async def test_a_delete_that_was_done_before_its_repeat_is_a_success() -> None:
    async with scripted({"*": [code(2, 500), code(4, 404)]}) as (plexy, script):
        assert await plexy.split_requests.delete("s-1") is None
        assert script.count() == 2
        with pytest.raises(NotFoundError):
            await plexy.split_requests.delete("s-2")
