"""A create whose answer was lost: looked up, proved, repeated or raised; and never made twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    PaymentLink,
    PlexyPayError,
    RetryPolicy,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
)
from plexypay_async.sandbox import Fault, Sandbox

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    CREATED,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    SHORT,
    SILENCE,
    TAKEN,
    Answer,
    Cut,
    Late,
    Step,
    code,
    link,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/ORD-1"
LOOK_UPS = f"GET {BY_REFERENCE}/*"
LIST = f"GET {LINKS}"
OVERRIDE = 'paths={"payment_links.retrieve_by_order_reference"'
LOST: dict[str, Step] = {"code 2": CODE_2, "lost": DROP, "read time-out": SILENCE}
OTHER_PATH = {"payment_links.retrieve_by_order_reference": "/v1/links/{order_reference}"}


def create(
    plexy: AsyncPlexyPay, reference: str = "ORD-1", amount: int = 2_200_000, currency: str = "KZT"
) -> Any:
    return plexy.payment_links.create(amount=amount, currency=currency, order_reference=reference)


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


def of_reference(seen: Any) -> Answer:
    """Find every link: what a look-up that works would answer for a link that exists."""
    return Answer(200, link(seen.path.rpartition("/")[2]))


# --------------------------------------------------------------------------------- against the sandbox

FAULTS: dict[str, tuple[Fault, int]] = {
    "code 2 before": (Fault(code=2, work="before", times=1), 2),
    "code 2 after": (Fault(code=2, work="after", times=1), 1),
    "cut before": (Fault(cut="before", times=1), 2),
    "cut after": (Fault(cut="after", times=1), 1),
    "cut in the body": (Fault(cut="body", times=1), 1),
    "silent, not done": (Fault(hang=True, times=1), 2),
    "silent, done": (Fault(hang=True, work="after", times=1), 1),
    "500 without a code": (Fault(status=502, work="after", times=1), 1),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("known", [True, False], ids=["a link is known", "an empty listing"])
@pytest.mark.parametrize("policy", [SHORT, ONCE], ids=["8 attempts", "1 attempt"])
async def test_one_link_whatever_happens_to_its_answer(name: str, known: bool, policy: RetryPolicy) -> None:
    fault, sendings = FAULTS[name]
    async with (
        Sandbox() as sandbox,
        AsyncPlexyPay(
            sandbox.api_key, base_url=sandbox.base_url, retry=SHORT, timeout=5, read_timeout=0.1
        ) as plexy,
    ):
        if known:
            await create(plexy, "ORD-0")
        sandbox.faults.add(fault)
        client = plexy.with_options(retry=policy)
        if policy is ONCE and sendings == 2:
            # Looked up all the same; not there, and no attempt is left.
            with pytest.raises(PlexyPayError) as caught:
                await create(client)
            assert caught.value.outcome is Outcome.UNKNOWN
            expected = 0
        else:
            made = await create(client)
            assert made.order_reference == "ORD-1"
            expected = 1
        references = [stored["orderReference"] for stored in sandbox.payment_links()]
        assert references.count("ORD-1") == expected
        sent = sandbox.requests.count("payment_links.create") - known
        assert sent == (1 if policy is ONCE else sendings)
        assert sandbox.requests.count("payment_links.retrieve_by_order_reference") >= 1


async def test_the_proof_is_made_once_with_a_link_that_this_client_created() -> None:
    async with (
        Sandbox() as sandbox,
        AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, retry=SHORT, timeout=5) as plexy,
    ):
        await create(plexy, "ORD-0")
        for number in range(1, 4):
            sandbox.faults.add(Fault(code=2, times=1))
            await create(plexy, f"ORD-{number}")
        assert sandbox.requests.count("payment_links.list") == 0
        # One look-up for each, and one for the proof.
        assert sandbox.requests.count("payment_links.retrieve_by_order_reference") == 4
        assert len(sandbox.payment_links()) == 4


# ------------------------------------------------------------------------------------------ found, or not


@pytest.mark.parametrize("how", LOST)
async def test_a_lost_create_that_is_found_is_returned_and_not_sent_again(how: str) -> None:
    async with scripted({POST: LOST[how], LOOK_UP: FOUND}, read_timeout=0.05) as (plexy, script):
        found = await create(plexy)
        assert isinstance(found, PaymentLink)
        assert found.url == "https://pay.example/pl_5e9f"
        assert script.counts == {POST: 1, LOOK_UP: 1}


async def test_the_listing_gives_the_link_that_proves_the_look_up() -> None:
    listing = page(link(None), link("OTHER"), link("THIRD"))
    routes = {
        POST: [DROP, CREATED],
        LOOK_UP: NOT_FOUND,
        LIST: listing,
        LOOK_UPS: of_reference,
    }
    async with scripted(routes) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 2, LOOK_UP: 1, LIST: 1, f"GET {BY_REFERENCE}/OTHER": 1}


async def test_a_link_that_only_the_listing_shows_is_recovered_whole() -> None:
    routes = {POST: DROP, LOOK_UP: NOT_FOUND, LIST: page(link("OTHER"), link()), f"GET {LINKS}/pl_*": FOUND}
    async with scripted(routes) as (plexy, script):
        found = await create(plexy)
        assert found.order_reference == "ORD-1"
        assert script.count(POST) == 1
        assert script.count(f"GET {LINKS}/pl_*") == 1


async def test_an_empty_listing_settles_one_reference_and_proves_nothing() -> None:
    routes = {POST: [DROP, code(5, 422, "no"), DROP, CREATED], LOOK_UPS: NOT_FOUND, LIST: page()}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.count(LIST) >= 1
        listed = script.count(LIST)
        await create(plexy, "ORD-2")
        assert script.count(LIST) == listed + 1


@pytest.mark.parametrize(
    "listing",
    [
        Answer(200, {}),
        Answer(200, {"data": None}),
        Answer(200, {"items": [link("OTHER")], "total": 1}),
        Answer(200, {"data": [], "page": 1, "size": 100, "total": 7}),
        Answer(200, {"data": [], "total": -1}),
        Answer(200, {"data": [], "total": ""}),
        Answer(200, {"data": [], "page": {}}),
        Answer(200, {"data": [], "links": {"next": "/v2"}}),
        Answer(200, b""),
        Answer(200, b"<html>"),
        Answer(200, []),
    ],
    ids=[
        *("no data", "null", "another shape", "empty before its total", "a negative total", "no number"),
        *("an odd page", "something else under a list's name", "empty body", "html", "list"),
    ],
)
async def test_a_listing_that_is_not_plainly_empty_settles_nothing(listing: Answer) -> None:
    """Only an empty `data` says that there is no link: a second one must not rest on less."""
    async with scripted({POST: [DROP, CREATED], LOOK_UP: NOT_FOUND, LIST: listing}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.count(POST) == 1


async def test_a_listing_without_references_proves_nothing() -> None:
    routes = {POST: DROP, LOOK_UP: NOT_FOUND, LIST: page(link(None), link(None))}
    async with scripted(routes) as (plexy, script):
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError):
                await create(plexy)
        assert script.counts == {POST: 2, LOOK_UP: 2, LIST: 2}


@pytest.mark.parametrize("different", [{"amount": 1}, {"currency": "USD"}], ids=["amount", "currency"])
async def test_a_link_with_another_amount_or_currency_is_a_conflict(different: dict[str, Any]) -> None:
    async with scripted({POST: DROP, LOOK_UP: Answer(200, link(**different))}) as (plexy, script):
        with pytest.raises(OrderReferenceConflictError) as caught:
            await create(plexy)
        assert script.counts == {POST: 1, LOOK_UP: 1}
    error = caught.value
    # The request whose answer was lost may have made it.
    assert error.outcome is Outcome.UNKNOWN
    assert (error.link_id, error.link_url) == ("pl_1", "https://pay.example/pl_5e9f")
    assert error.order_reference == "ORD-1"
    assert error.operation == "payment_links.create"
    assert [type(earlier) for earlier in error.attempts] == [OutcomeUnknownError]
    assert str(*different) in str(error)


async def test_a_currency_in_small_letters_is_the_same() -> None:
    async with scripted({POST: DROP, LOOK_UP: Answer(200, link(currency="kzt"))}) as (plexy, _):
        assert isinstance(await create(plexy), PaymentLink)


@pytest.mark.parametrize("other", ["ORD-2", None, "ord-1", "ORD-1 "], ids=repr)
async def test_a_look_up_that_answers_with_another_reference_is_not_believed(other: str | None) -> None:
    async with scripted({POST: [DROP, CREATED], LOOK_UP: Answer(200, link(other))}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        # Asked three times, on a connection of its own each time: an answer may be of another request.
        assert script.counts == {POST: 1, LOOK_UP: 3}
    assert OVERRIDE in notes(caught.value)


@pytest.mark.parametrize(
    "answer",
    [Answer(401), Answer(403), code(3, 400), Answer(405), Answer(200, b"<html>"), Answer(301)],
    ids=repr,
)
async def test_a_look_up_that_fails_for_good_settles_nothing(answer: Answer) -> None:
    async with scripted({POST: [DROP, CREATED], LOOK_UP: answer}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        # What cannot be read may be the answer to another request, so it is asked for on other connections.
        asked = 3 if answer.status == 200 else 1
        assert script.counts == {POST: 1, LOOK_UP: asked}
    assert isinstance(caught.value.__cause__, PlexyPayError)


async def test_a_look_up_that_meets_faults_is_asked_again() -> None:
    routes = {POST: DROP, LOOK_UP: [CODE_1, CODE_2, Answer(429), Cut(FOUND), FOUND]}
    async with scripted(routes) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 5}


async def test_each_lost_answer_is_looked_up() -> None:
    routes = {
        POST: [DROP, CODE_2, CREATED],
        LOOK_UP: NOT_FOUND,
        LIST: page(link("OTHER")),
        LOOK_UPS: of_reference,
    }
    async with scripted(routes) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count(POST) == 3
        assert script.count(LOOK_UP) == 2


async def test_attempts_spent_on_lost_answers_end_in_an_unknown_outcome() -> None:
    routes = {POST: DROP, LOOK_UP: NOT_FOUND, LIST: page()}
    policy = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
    async with scripted(routes, retry=policy) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        assert script.count(POST) == 3
        assert script.count(LOOK_UP) == 3
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(caught.value.attempts) >= 2


# ----------------------------------------------------------------------------------------- cut in its body


async def test_a_create_cut_in_its_body_is_looked_up() -> None:
    async with scripted({POST: Cut(CREATED), LOOK_UP: FOUND}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 1}


@pytest.mark.parametrize("listing", [page(), page(link("OTHER"))], ids=["empty listing", "proved"])
async def test_a_create_cut_in_its_body_is_never_sent_again(listing: Answer) -> None:
    """The 201 said that it is done; a look-up that does not find it yet does not unsay that."""
    routes = {POST: Cut(CREATED), LOOK_UP: NOT_FOUND, LIST: listing, LOOK_UPS: of_reference}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as caught:
            await create(plexy)
        assert script.count(POST) == 1
    assert caught.value.outcome is Outcome.DONE


async def test_a_create_cut_in_its_body_stays_done_where_it_cannot_be_looked_up() -> None:
    routes = {POST: Cut(CREATED), LOOK_UPS: NOT_FOUND, LIST: page(link("OTHER"))}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert script.count(POST) == 1
    assert caught.value.outcome is Outcome.DONE


# ------------------------------------------------------------------------------------------------ disproved


async def test_a_disproved_path_is_not_asked_again() -> None:
    routes = {POST: [CREATED, DROP], LOOK_UPS: NOT_FOUND}
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
        assert OVERRIDE in notes(caught.value)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert "ORD-1" in str(caught.value)
        # Its own reference once, the known one twice.
        assert script.counts == {POST: 2, LOOK_UP: 1, f"GET {BY_REFERENCE}/ORD-0": 2}
        for number in range(3):
            with pytest.raises(OutcomeUnknownError) as again:
                await create(plexy, f"NEW-{number}")
            assert OVERRIDE in notes(again.value)
        assert script.count(POST) == 5
        assert script.count(LOOK_UPS) == 3


async def test_a_path_of_ones_own_has_a_proof_of_its_own() -> None:
    routes: dict[str, Any] = {
        POST: [CREATED, DROP, DROP, CREATED, DROP],
        LOOK_UPS: NOT_FOUND,
        "GET /v1/links/ORD-0": Answer(200, link("ORD-0")),
        "GET /v1/links/*": NOT_FOUND,
        LIST: page(link("ORD-0")),
    }
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        fixed = plexy.with_options(paths=OTHER_PATH)
        assert isinstance(await create(fixed), PaymentLink)
        assert script.count("GET /v1/links/ORD-1") == 1
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert script.count(LOOK_UPS) == 3


async def test_a_proof_is_shared_with_clients_on_the_same_paths_and_key() -> None:
    routes = {POST: [CREATED, DROP], LOOK_UPS: NOT_FOUND}
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        patient = plexy.with_options(timeout=4)
        for client in (plexy, patient):
            with pytest.raises(OutcomeUnknownError):
                await create(client)
        assert script.count(LOOK_UPS) == 3


async def test_what_one_key_sees_disproves_nothing_for_another() -> None:
    routes = {POST: [CREATED, DROP], LOOK_UPS: NOT_FOUND, LIST: page(link("ORD-0"))}
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        with pytest.raises(OutcomeUnknownError):
            await create(plexy.with_options(api_key=KEY + "f"))
        assert script.count(LOOK_UPS) == 6


@pytest.mark.parametrize("fault", [CODE_1, CODE_2, DROP, Cut(FOUND), Answer(429)], ids=str)
async def test_a_proof_that_meets_a_fault_is_tried_again(fault: Step) -> None:
    routes: dict[str, Any] = {
        POST: [CREATED, DROP, CREATED],
        f"GET {BY_REFERENCE}/ORD-0": [fault, Answer(200, link("ORD-0"))],
        LOOK_UPS: NOT_FOUND,
    }
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count(POST) == 3


async def test_a_proof_that_fails_for_good_leaves_the_next_call_to_make_it() -> None:
    routes: dict[str, Any] = {
        POST: [CREATED, DROP, DROP, CREATED],
        f"GET {BY_REFERENCE}/ORD-0": [Answer(401), Answer(200, link("ORD-0"))],
        LOOK_UPS: NOT_FOUND,
    }
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        with pytest.raises(OutcomeUnknownError):
            await create(plexy)
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count(f"GET {BY_REFERENCE}/ORD-0") == 2


async def test_one_404_for_a_known_link_disproves_nothing() -> None:
    routes: dict[str, Any] = {
        POST: [CREATED, DROP, CREATED],
        f"GET {BY_REFERENCE}/ORD-0": [NOT_FOUND, Answer(200, link("ORD-0"))],
        LOOK_UPS: NOT_FOUND,
    }
    async with scripted(routes) as (plexy, script):
        await create(plexy, "ORD-0")
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count(f"GET {BY_REFERENCE}/ORD-0") == 2


async def test_calls_at_once_make_one_proof() -> None:
    lost: set[str] = set()

    def once(seen: Any) -> Step:
        reference = seen.json["orderReference"]
        if reference in lost:
            return Answer(201, link(reference))
        lost.add(reference)
        return DROP

    routes: dict[str, Any] = {
        POST: once,
        f"GET {BY_REFERENCE}/KNOWN": Late(0.05, Answer(200, link("KNOWN"))),
        LOOK_UPS: NOT_FOUND,
        LIST: Late(0.05, page(link("KNOWN"))),
    }
    async with scripted(routes) as (plexy, script):
        made = await asyncio.gather(*(create(plexy, f"ORD-{number}") for number in range(20)))
        assert {each.order_reference for each in made} == {f"ORD-{number}" for number in range(20)}
        assert script.count(LIST) == 1
        assert script.count(f"GET {BY_REFERENCE}/KNOWN") == 1
        assert script.count(POST) == 40


# -------------------------------------------------------------------------------------- taken references


@pytest.mark.parametrize("answer", [TAKEN, code(1153, 400), code(5, 409)], ids=str)
async def test_a_reference_taken_at_the_first_sending_is_raised_as_it_is(answer: Answer) -> None:
    async with scripted({POST: answer, LOOK_UP: FOUND}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert script.counts == {POST: 1}
    assert caught.value.outcome is Outcome.REJECTED
    assert caught.value.attempts == ()


async def test_a_409_that_is_not_the_apis_may_come_after_the_work() -> None:
    async with scripted({POST: Answer(409), LOOK_UP: FOUND}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, LOOK_UP: 1}


@pytest.mark.parametrize("answer", [TAKEN, Answer(409), code(1153, 400), code(5, 409)], ids=str)
async def test_a_reference_taken_at_a_repeat_is_looked_up(answer: Answer) -> None:
    async with scripted({POST: [CODE_1, answer], LOOK_UP: FOUND}) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 2, LOOK_UP: 1}


async def test_a_repeat_that_is_refused_for_another_reason_is_raised() -> None:
    routes = {POST: [CODE_1, code(5, 422, "expiresAt is past")], LOOK_UP: NOT_FOUND, LIST: page()}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnprocessableError, match="expiresAt") as caught:
            await create(plexy)
        assert script.counts[POST] == 2
    assert caught.value.outcome is Outcome.REJECTED
    assert len(caught.value.attempts) == 1


async def test_a_taken_reference_with_another_amount_is_a_conflict() -> None:
    async with scripted({POST: [CODE_1, TAKEN], LOOK_UP: Answer(200, link(amount=5))}) as (plexy, _):
        with pytest.raises(OrderReferenceConflictError) as caught:
            await create(plexy)
    # What the API has refused has made nothing: the link is another order's.
    assert caught.value.outcome is Outcome.REJECTED
    assert caught.value.link_id == "pl_1"


async def test_a_refusal_that_cannot_be_looked_up_stands_and_has_no_cause_that_leads_back_to_itself() -> None:
    routes = {POST: [CODE_1, TAKEN], LOOK_UPS: NOT_FOUND, LIST: page(link("OTHER"))}
    async with scripted(routes) as (plexy, _):
        with pytest.raises(UnprocessableError) as caught:
            await create(plexy)
    assert caught.value.outcome is Outcome.REJECTED
    met: list[BaseException] = []
    error: BaseException | None = caught.value
    while error is not None:
        assert all(error is not earlier for earlier in met), "the chain of causes is a ring"
        met.append(error)
        error = error.__cause__ or error.__context__


# ----------------------------------------------------------------- what ends a call in mid-recovery


async def test_a_key_that_fails_in_mid_call_does_not_hide_that_the_outcome_is_unknown() -> None:
    keys = [KEY]
    async with scripted({POST: [DROP, CREATED], LOOK_UP: FOUND}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy.with_options(api_key=lambda: keys.pop() if keys else ""))
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "first", [DROP, SILENCE, code(2, 500, Retry_After="0.2")], ids=["lost", "silent", "code 2"]
)
async def test_a_client_closed_in_mid_call_does_not_hide_that_the_outcome_is_unknown(first: Step) -> None:
    policy = RetryPolicy(base=0.2, cap=0.2)
    async with scripted({POST: first, LOOK_UP: SILENCE}, timeout=2, retry=policy) as (plexy, script):
        calling = asyncio.ensure_future(create(plexy))
        while not script.count():
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        await plexy.close()
        with pytest.raises(PlexyPayError) as caught:
            await calling
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.order_reference == "ORD-1"


async def test_a_client_closed_in_a_pause_raises_an_error_of_the_library() -> None:
    routes = {"*": code(1, 503, Retry_After="0.2")}
    async with scripted(routes) as (plexy, script):
        reading = asyncio.ensure_future(plexy.payment_links.retrieve("pl_1"))
        creating = asyncio.ensure_future(create(plexy))
        while script.count() < 2:
            await asyncio.sleep(0.002)
        # Both answers arrive.
        await asyncio.sleep(0.05)
        await plexy.close()
        for call in (reading, creating):
            with pytest.raises(ConfigurationError, match=r"[Cc]losed") as caught:
                await call
            assert caught.value.operation is not None


async def test_a_create_without_a_reference_has_nothing_to_look_up() -> None:
    async with scripted({POST: DROP}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError, match="order reference"):
            await plexy.payment_links.create(amount=1, currency="KZT")
        assert script.counts == {POST: 1}


async def test_code_2_alone_is_raised_as_unknown_if_the_look_up_cannot_say() -> None:
    async with scripted({POST: CODE_2, LOOK_UP: Answer(401)}) as (plexy, _):
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(plexy)
    assert [type(earlier) for earlier in caught.value.attempts] == [SomethingWentWrongError]
