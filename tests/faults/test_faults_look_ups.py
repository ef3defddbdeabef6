"""When a look-up may be believed: a dead link, a gateway's 404, a path that was disproved, and the policy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    PaymentLink,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async._core.recovery import DISPROVED_FOR

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    DROP,
    LINKS,
    NOT_FOUND,
    ONCE,
    SILENCE,
    TAKEN,
    Answer,
    Script,
    Seen,
    Step,
    link,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/*"
LISTING = f"GET {LINKS}"
NO_ROUTE = Answer(404, b"<html>404 no route</html>")
BAD_GATEWAY = Answer(502, b"<html>bad gateway</html>")


async def create(plexy: AsyncPlexyPay, reference: str = "ORD-1") -> PaymentLink:
    return await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=reference)


# ------------------------------------------------------------------------------------------------ a dead link


@pytest.mark.parametrize("state", ["expired", "cancelled"])
@pytest.mark.parametrize("lost", [DROP, BAD_GATEWAY], ids=["closed", "502"])
async def test_a_dead_link_may_be_what_the_call_has_made(lost: Step, state: str) -> None:
    async with scripted({POST: lost, LOOK_UP: Answer(200, link(status=state))}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        assert script.count(POST) == 1
    (note,) = caught.value.__notes__
    assert note == f"The order reference is that of pl_1 with status {state!r}."


@pytest.mark.parametrize("lost", [DROP, BAD_GATEWAY], ids=["closed", "502"])
async def test_a_paid_link_is_what_the_call_has_made(lost: Step) -> None:
    async with scripted({POST: lost, LOOK_UP: Answer(200, link(status="paid"))}) as (plexy, _):
        assert (await create(plexy)).status == "paid"


@pytest.mark.parametrize("lost", [DROP, BAD_GATEWAY], ids=["closed", "502"])
async def test_a_dead_link_of_another_amount_is_anothers(lost: Step) -> None:
    found = Answer(200, link(status="expired", amount=7))
    async with scripted({POST: lost, LOOK_UP: found}) as (plexy, _):
        with pytest.raises(OrderReferenceConflictError):
            await create(plexy)


async def test_a_dead_link_that_a_refusal_after_code_1_means_is_anothers() -> None:
    routes = {POST: [CODE_1, TAKEN], LOOK_UP: Answer(200, link(status="expired"))}
    async with scripted(routes) as (plexy, _):
        with pytest.raises(OrderReferenceConflictError) as caught:
            await create(plexy)
    assert caught.value.outcome is Outcome.REJECTED


# ------------------------------------------------------------------------------------------ whose 404 it is


class Shop:
    """A server that makes links and loses answers, behind a gateway that at times knows no route."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}
        self.loses = False
        self.instead: list[Answer] = []
        """What the next look-ups are answered."""

    def create(self, seen: Seen) -> Step:
        reference = seen.json["orderReference"]
        if reference in self.made:
            return TAKEN
        self.made[reference] = link(reference, id=f"pl_{reference}")
        return DROP if self.loses else Answer(201, self.made[reference])

    def look_up(self, seen: Seen) -> Step:
        if self.instead:
            return self.instead.pop(0)
        reference = seen.path.rpartition("/")[2]
        return Answer(200, self.made[reference]) if reference in self.made else NOT_FOUND

    def listing(self, _: Seen) -> Step:
        return page(*self.made.values())

    @property
    def script(self) -> Script:
        return Script(
            {POST: self.create, LOOK_UP: self.look_up, LISTING: lambda _: page(*self.made.values())}
        )


async def test_a_gateways_404_does_not_disprove_the_look_up() -> None:
    shop = Shop()
    async with scripted(shop.script) as (plexy, _):
        await create(plexy, "A")
        shop.loses, shop.instead = True, [NO_ROUTE] * 3
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy, "B")
        assert "The look-up did not reach the API." in caught.value.__notes__
        assert (await create(plexy, "C")).id == "pl_C"


async def test_a_gateways_404_is_no_proof_that_nothing_was_made() -> None:
    shop = Shop()
    async with scripted(shop.script, retry=ONCE, read_timeout=0.01, timeout=30.0) as (plexy, _):
        await create(plexy, "A")
        shop.loses, shop.instead = True, []
        # The look-up proves itself by this one.
        assert (await create(plexy, "B")).id == "pl_B"
        shop.instead = [NO_ROUTE] * 100
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy, "C")
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_look_up_that_was_disproved_is_tried_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [1000.0]
    # Not the clock itself, which is the loop's too.
    monkeypatch.setattr("plexypay_async._core.recovery.time", SimpleNamespace(monotonic=lambda: at[0]))
    shop = Shop()
    async with scripted(shop.script) as (plexy, script):
        await create(plexy, "A")
        # What is known to exist is not found, and the API itself says so.
        shop.loses, shop.instead = True, [NOT_FOUND] * 3
        with pytest.raises(OutcomeUnknownError, match="outcome is unknown"):
            await create(plexy, "B")
        asked = script.count(LOOK_UP)
        at[0] += DISPROVED_FOR - 1
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy, "C")
        assert "The look-up did not find a link known to exist." in caught.value.__notes__[0]
        assert script.count(LOOK_UP) == asked
        at[0] += 1
        assert (await create(plexy, "D")).id == "pl_D"
    assert DISPROVED_FOR == 60.0


# --------------------------------------------------------------------------------------- the client's policy


@pytest.mark.parametrize("failing", [SILENCE, CODE_1], ids=["silence", "code 1"])
@pytest.mark.parametrize("most", [1, 3])
async def test_a_look_up_is_asked_as_often_as_the_policy_says(failing: Step, most: int) -> None:
    policy = RetryPolicy(max_attempts=most, base=0.002, cap=0.01)
    routes = {POST: DROP, LOOK_UP: failing}
    async with scripted(routes, retry=policy, read_timeout=0.05) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.counts == {POST: 1, f"GET {BY_REFERENCE}/ORD-1": most}


async def test_a_code_that_the_policy_does_not_repeat_ends_a_look_up() -> None:
    policy = RetryPolicy(codes=(), base=0.002, cap=0.01)
    async with scripted({POST: DROP, LOOK_UP: CODE_1}, retry=policy) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.counts == {POST: 1, f"GET {BY_REFERENCE}/ORD-1": 1}


async def test_one_attempt_makes_one_look_up_and_one_proof() -> None:
    policy = RetryPolicy(codes=(), max_attempts=1, base=0.002, cap=0.01)
    routes = {POST: DROP, LOOK_UP: NOT_FOUND, LISTING: page(link("ORD-7"))}
    async with scripted(routes, retry=policy) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.counts == {
            POST: 1,
            f"GET {BY_REFERENCE}/ORD-1": 1,
            LISTING: 1,
            f"GET {BY_REFERENCE}/ORD-7": 1,
        }
