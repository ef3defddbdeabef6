"""A refusal is the API's own, or by its meaning given before any work; any other may come after it."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AsyncPlexyPay,
    AuthenticationError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    UnprocessableError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    Answer,
    Step,
    code,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

NEVER_AT_WORK = frozenset({400, 401, 403, 404, 405, 411, 413, 414, 415, 421, 429, 431})
ASKED_AGAIN = frozenset({408, 425, 499})
STATUSES = range(300, 500)
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)

Call = Callable[[AsyncPlexyPay], Awaitable[Any]]

SAFE: dict[str, Call] = {
    "PATCH": lambda plexy: plexy.payment_links.update_expiration("pl_1", expires_at=EXPIRES),
    "PUT": lambda plexy: plexy.split_requests.update("s", extra={"amount": 1}),
    "DELETE": lambda plexy: plexy.split_requests.delete("s"),
}
CALLS: dict[str, Call] = {
    **SAFE,
    "money": lambda plexy: plexy.payments.refund("t", amount=Decimal(1)),
    "create": lambda plexy: plexy.customers.create(extra={"name": "A"}),
    "link without a reference": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
    "after look-up": lambda plexy: plexy.payment_links.create(
        amount=1, currency="KZT", order_reference="ORD-1"
    ),
    "same key": lambda plexy: plexy.wallet.authorize(amount=1, currency="KZT", order_reference="ORD-1"),
}
BODIES: dict[str, Any] = {
    "no body": b"",
    "html": b"<html><body>nginx</body></html>",
    "a message": {"message": "no"},
    "the status as code": None,
}


def routes(answer: Step) -> dict[str, Any]:
    """Answer all writes so, and look-ups that there is nothing."""
    return {f"GET {BY_REFERENCE}/*": NOT_FOUND, f"GET {LINKS}": page(), "*": answer}


async def refused(call: Call, answer: Step, **options: Any) -> tuple[PlexyPayError, int]:
    """Return the error of a call that is answered so, and how often it was sent."""
    async with scripted(routes(answer), **options) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
        return caught.value, sum(seen.method != "GET" for seen in script.seen)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", BODIES)
async def test_which_statuses_without_the_apis_body_say_that_nothing_was_done(name: str, body: str) -> None:
    wrong: dict[int, Outcome | None] = {}
    # The others of the hundred behave as their neighbours; the empty body tries them all.
    for status in STATUSES if body == "no body" else (*NEVER_AT_WORK, *ASKED_AGAIN, 302, 307, 409, 418, 422):
        content = {"code": status, "message": "no"} if body == "the status as code" else BODIES[body]
        error, sent = await refused(CALLS[name], Answer(status, content), retry=ONCE)
        expected = Outcome.REJECTED if status in NEVER_AT_WORK else Outcome.UNKNOWN
        if error.outcome is not expected or sent != 1:
            wrong[status] = error.outcome
    assert wrong == {}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [302, 307, 400, 404, 408, 409, 418, 422, 425, 499])
async def test_with_the_apis_body_the_body_decides(name: str, status: int) -> None:
    for answer in (
        code(5, status),
        code(3, status),
        Answer(status, {"type": "validationError", "message": "no"}),
    ):
        error, sent = await refused(CALLS[name], answer)
        assert isinstance(error, APIError)
        assert error.outcome is Outcome.REJECTED
        assert sent == 1


@pytest.mark.parametrize("name", ["PATCH", "PUT", "DELETE", "same key", "after look-up"])
@pytest.mark.parametrize("status", sorted(ASKED_AGAIN))
async def test_what_ran_out_of_time_in_between_is_asked_again(name: str, status: int) -> None:
    error, sent = await refused(CALLS[name], [Answer(status), code(3, 400)])  # type: ignore[arg-type]
    assert sent == 2
    assert error.outcome is Outcome.UNKNOWN
    error, sent = await refused(CALLS[name], Answer(status))
    assert sent == 8
    assert error.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("name", ["money", "create", "link without a reference"])
@pytest.mark.parametrize("status", sorted(ASKED_AGAIN))
async def test_what_is_not_safe_is_not_asked_again(name: str, status: int) -> None:
    error, sent = await refused(CALLS[name], Answer(status))
    assert isinstance(error, OutcomeUnknownError)
    assert sent == 1


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("status", [302, 307, 409, 422])
async def test_a_safe_write_that_something_in_between_refused_is_not_repeated(name: str, status: int) -> None:
    error, sent = await refused(CALLS[name], Answer(status, b"", {"Location": "/elsewhere"}))
    assert error.outcome is Outcome.UNKNOWN
    assert sent == 1


@pytest.mark.parametrize("name", ["PATCH", "PUT"])
async def test_a_safe_write_that_is_repeated_at_last_succeeds(name: str) -> None:
    success = {"id": "s", **({} if name == "PUT" else link(id="pl_1"))}
    async with scripted({"*": [Answer(408), Answer(425), Answer(499), Answer(200, success)]}) as (
        plexy,
        script,
    ):
        assert (await SAFE[name](plexy)).id == success["id"]
        assert script.count() == 4


async def _on_async(url: str) -> APIError:
    async with AsyncPlexyPay(KEY, base_url=url) as plexy:
        with pytest.raises(APIError) as caught:
            await plexy.payments.refund("INV-1")
    return caught.value


async def _on_sync(url: str) -> APIError:
    def refused() -> APIError:
        with PlexyPay(KEY, base_url=url) as plexy, pytest.raises(APIError) as caught:
            plexy.payments.refund("INV-1")
        return caught.value

    return await asyncio.to_thread(refused)


@pytest.mark.parametrize(
    ("status", "number", "kind", "told"),
    [
        (404, 4, NotFoundError, "transactions.retrieve_by_order_reference finds it by an order's reference"),
        (422, 5, UnprocessableError, "payments.cancel releases it"),
        (401, 3, AuthenticationError, None),
    ],
)
@pytest.mark.parametrize("refused", [_on_async, _on_sync])
async def test_a_refusal_says_what_can_be_done(
    refused: Callable[[str], Awaitable[APIError]],
    status: int,
    number: int,
    kind: type[APIError],
    told: str | None,
) -> None:
    async with serving({"*": Answer(status, {"code": number, "message": "no"})}) as server:
        error = await refused(server.url)

    assert (type(error), error.outcome) == (kind, Outcome.REJECTED)
    for each in (error, pickle.loads(pickle.dumps(error))):
        notes = getattr(each, "__notes__", [])
        assert len(notes) == (told is not None)
        assert told is None or told in notes[0]
