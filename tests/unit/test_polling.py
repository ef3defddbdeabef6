"""Waiting for a transaction: its arguments, its pauses, how it ends, and what its error says."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AsyncPlexyPay,
    ConfigurationError,
    DeadlineExceededError,
    Evidence,
    NotFoundError,
    Outcome,
    PlexyPayError,
    RetryPolicy,
    UnreadableResponseError,
)
from plexypay_async._core.deadlines import TURNS
from plexypay_async.pay.transactions import Transactions, TransactionStatus, WaitForTransaction
from plexypay_sync import PlexyPay

from .mocked_http import MockedHTTP

BASE = "https://api.example"
ONCE = RetryPolicy(max_attempts=1, base=0, cap=0)
BY_ID = f"{BASE}/v1/transactions/t"
BY_LINK = f"{BASE}/v1/transactions/by-payment-link/pl_1"
BY_REFERENCE = f"{BASE}/v1/transactions/by-order-reference/ORD-1"
SEARCH = f"{BASE}/v1/payments/search?orderReference=ORD-1"


def a_client(**options: Any) -> AsyncPlexyPay:
    given: dict[str, Any] = {"base_url": BASE, "retry": ONCE, **options}
    return AsyncPlexyPay("key", **given)


def answering(http: MockedHTTP, url: str, *statuses: str) -> None:
    """Answer with these states in turn, the last one for ever."""
    for index, status in enumerate(statuses):
        body = {"transactionId": "t", "status": status, "orderReference": "ORD-1"}
        http.get(url, payload=body, repeat=index == len(statuses) - 1)


def asked(http: MockedHTTP) -> int:
    requests: dict[tuple[str, Any], list[Any]] = http.requests
    return sum(len(calls) for calls in requests.values())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch, skip_time: Callable[[float], None]) -> list[float]:
    """The pauses that the wait made, which take no time."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)
        skip_time(seconds)
        # A turn in which what is due is found, those that it waits for, and one in which it is cut.
        for _ in range(TURNS + 2):
            await asyncio.sleep(0)

    double = SimpleNamespace(CancelledError=asyncio.CancelledError, sleep=sleep)
    monkeypatch.setattr("plexypay_async._core.polling.asyncio", double)
    return made


@pytest.fixture
def without_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(value: float) -> float:
        return value

    monkeypatch.setattr("plexypay_async._core.polling.jittered", whole)


# -------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "give one of them, got none"),
        ({"id": "t", "order_reference": "O"}, "give one of them, got id and order_reference"),
        ({"payment_link_id": "p", "order_reference": "O"}, "got payment_link_id and order_reference"),
        ({"id": "t", "payment_link_id": "p", "order_reference": "O"}, "id and payment_link_id and order_ref"),
        ({"id": ""}, "^id: must not be empty"),
        ({"id": 5}, "^id: expected a string, got int 5"),
        ({"payment_link_id": " "}, "^payment_link_id: must not be empty"),
        ({"order_reference": b"O"}, "^order_reference: expected a string"),
        ({"id": "t", "until": ""}, "^until: must not be empty"),
        ({"id": "t", "until": 5}, "^until: expected a string"),
        *(
            ({"id": "t", name: wrong}, f"^{name}: expected a positive number of seconds, got ")
            for name in ("timeout", "interval")
            for wrong in (0, -1, 0.0, float("inf"), float("nan"), True, "1", None)
        ),
    ],
    ids=repr,
)
def test_arguments_that_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        WaitForTransaction(**given)
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.asyncio
async def test_they_are_refused_by_the_call_before_anything_is_sent(mocked_http: MockedHTTP) -> None:
    async with a_client() as plexy:
        with pytest.raises(ConfigurationError, match="give one of them, got none"):
            await plexy.transactions.wait()
    assert asked(mocked_http) == 0


@pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=lambda facade: facade.__name__)
def test_the_bound_call(facade: Any) -> None:
    wait = facade("key", base_url=BASE).transactions.wait

    assert wait.__name__ == "wait"
    assert wait.__qualname__ == "Transactions.wait"
    assert wait.__doc__ == WaitForTransaction.__doc__
    assert inspect.iscoroutinefunction(wait) is (facade is AsyncPlexyPay)
    signature = inspect.signature(wait)
    assert list(signature.parameters) == [
        "id",
        "payment_link_id",
        "order_reference",
        "until",
        "timeout",
        "interval",
    ]
    assert [name for name, p in signature.parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == ["id"]
    assert signature.return_annotation == "Transaction"
    assert repr(Transactions.wait) == "<transactions.wait>"


# ----------------------------------------------------------------------------------------------- pauses


@pytest.mark.asyncio
async def test_pauses_grow_by_half_to_fifteen_times_the_first(
    mocked_http: MockedHTTP, pauses: list[float], without_jitter: None
) -> None:
    answering(mocked_http, BY_ID, *["created"] * 10, "charged")

    async with a_client() as plexy:
        await plexy.transactions.wait("t", interval=2)
    assert pauses == pytest.approx([2 * 1.5**n for n in range(5)] + [2 * 1.5**5, 2 * 1.5**6] + [30] * 3)
    assert asked(mocked_http) == 11


@pytest.mark.asyncio
async def test_a_pause_is_at_least_half_as_long_and_never_longer(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    answering(mocked_http, BY_ID, *["created"] * 60, "charged")

    async with a_client() as plexy:
        await plexy.transactions.wait("t", interval=0.5, timeout=10_000)
    whole = [min(0.5 * 1.5**n, 7.5) for n in range(60)]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, whole, strict=True))
    assert len({round(pause, 6) for pause in pauses[7:]}) > 40, "not all who wait ask at the same instant"


@pytest.mark.parametrize(("header", "least"), [("40", 40.0), ("0", 0.5), ("soon", 0.5)])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.asyncio
async def test_a_retry_after_makes_a_pause_longer_and_never_shorter(
    mocked_http: Any, pauses: list[float], status: int, header: str, least: float
) -> None:
    body = {"code": 1, "message": "busy"}
    mocked_http.get(BY_ID, status=status, payload=body, headers={"Retry-After": header})
    answering(mocked_http, BY_ID, "charged")

    async with a_client() as plexy:
        await plexy.transactions.wait("t", interval=1)
    assert len(pauses) == 1
    assert least <= pauses[0] <= max(least, 1.0)


@pytest.mark.asyncio
async def test_a_retry_after_beyond_the_end_ends_the_wait_in_time(
    mocked_http: Any, skip_time: Callable[[float], None]
) -> None:
    mocked_http.get(
        BY_ID, status=503, payload={"code": 1, "message": "busy"}, headers={"Retry-After": "inf"}, repeat=True
    )

    async with a_client() as plexy:
        waiting = asyncio.create_task(plexy.transactions.wait("t", timeout=30))
        while not asked(mocked_http):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        skip_time(31)
        with pytest.raises(DeadlineExceededError):
            await waiting
    assert asked(mocked_http) == 1


# ------------------------------------------------------------------------------------------ how it ends


@pytest.mark.parametrize("status", TransactionStatus, ids=str)
@pytest.mark.asyncio
async def test_which_states_end_a_wait(
    mocked_http: MockedHTTP, pauses: list[float], status: TransactionStatus
) -> None:
    answering(mocked_http, BY_ID, status.value, "refunded")

    async with a_client() as plexy:
        found = await plexy.transactions.wait("t")
    ends = status.is_paid or status.is_final
    assert found.status is (status if ends else TransactionStatus.REFUNDED)
    assert len(pauses) == (0 if ends else 1)


@pytest.mark.parametrize(
    ("until", "statuses", "ended"),
    [
        ("charged", ["created", "authorized", "charged"], "charged"),
        (TransactionStatus.CHARGED, ["authorized", "TRANSACTION_STATUS_CHARGED"], "charged"),
        ("TRANSACTION_STATUS_CHARGED", ["authorized", "charged"], "charged"),
        ("authorized", ["created", "TRANSACTION_STATUS_AUTHED"], "authorized"),
        ("authed", ["created", "authorized"], "authorized"),
        ("3d", ["new", "3D"], "3d"),
        ("on_hold", ["created", "authorized", "on_hold"], "on_hold"),
        ("charged", ["created", "rejected"], "rejected"),
        ("charged", ["authorized", "cancelled"], "cancelled"),
        ("authorized", ["created", "charged"], "charged"),
        (None, ["on_hold", "failed"], "failed"),
    ],
    ids=repr,
)
@pytest.mark.asyncio
async def test_the_state_to_wait_for(
    mocked_http: MockedHTTP, pauses: list[float], until: Any, statuses: list[str], ended: str
) -> None:
    answering(mocked_http, BY_ID, *statuses)

    async with a_client() as plexy:
        found = await plexy.transactions.wait("t", until=until)
    assert found.status == ended
    assert len(pauses) == len(statuses) - 1


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"id": "t"}, BY_ID),
        ({"payment_link_id": "pl_1"}, BY_LINK),
        ({"order_reference": "ORD-1"}, BY_REFERENCE),
    ],
    ids=repr,
)
@pytest.mark.asyncio
async def test_what_is_asked(
    mocked_http: MockedHTTP, pauses: list[float], given: dict[str, Any], url: str
) -> None:
    answering(mocked_http, url, "created", "charged")

    async with a_client() as plexy:
        assert (await plexy.transactions.wait(**given)).status == "charged"
    assert [str(key[1]) for key in mocked_http.requests] == [url]


@pytest.mark.asyncio
async def test_another_path_is_asked_where_one_is_given(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    answering(mocked_http, f"{BASE}/v9/find/ORD-1", "charged")
    paths = {"transactions.retrieve_by_order_reference": "/v9/find/{order_reference}"}

    async with a_client(paths=paths) as plexy:
        assert (await plexy.transactions.wait(order_reference="ORD-1")).id == "t"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"code": 3, "message": "no"}'),
        (401, b'{"message": "no"}'),
        (403, b'{"message": "no"}'),
        (422, b'{"code": 5, "message": "no"}'),
        (302, b""),
        (418, b""),
    ],
)
@pytest.mark.asyncio
async def test_what_asking_again_does_not_change_is_raised_at_once(
    mocked_http: MockedHTTP, pauses: list[float], status: int, body: bytes
) -> None:
    mocked_http.get(BY_LINK, status=status, body=body, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(APIError) as caught:
            await plexy.transactions.wait(payment_link_id="pl_1")
    assert caught.value.status == status
    assert caught.value.operation == "transactions.retrieve_by_payment_link"
    assert (asked(mocked_http), pauses) == (1, [])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b'{"id": "t"}', b'{"status": "charged"}'], ids=repr)
@pytest.mark.asyncio
async def test_an_answer_that_is_no_transaction_is_raised_at_once(
    mocked_http: MockedHTTP, pauses: list[float], body: bytes
) -> None:
    mocked_http.get(BY_ID, body=body, headers={"Content-Length": str(len(body))}, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(UnreadableResponseError):
            await plexy.transactions.wait("t")
    assert (asked(mocked_http), pauses) == (1, [])


@pytest.mark.parametrize("body", [b'{"transactionId": "t", "sta', b"<html>"], ids=repr)
@pytest.mark.asyncio
async def test_an_answer_that_was_cut_is_asked_for_again(
    mocked_http: MockedHTTP, pauses: list[float], body: bytes
) -> None:
    # Without a length its end is that of the connection.
    mocked_http.get(BY_ID, body=body)
    answering(mocked_http, BY_ID, "charged")

    async with a_client() as plexy:
        transaction = await plexy.transactions.wait("t")
    assert transaction.status is TransactionStatus.CHARGED
    assert (asked(mocked_http), len(pauses)) == (2, 1)


@pytest.mark.asyncio
async def test_a_closed_client_is_a_mistake_and_no_outage(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    plexy = a_client()
    await plexy.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await plexy.transactions.wait("t")
    assert pauses == []


# -------------------------------------------------------------------------------------------- not found


@pytest.mark.asyncio
async def test_an_unknown_id_is_raised_at_once(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    mocked_http.get(BY_ID, status=404, payload={"code": 4, "message": "no"}, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(NotFoundError) as caught:
            await plexy.transactions.wait("t")
    assert caught.value.operation == "transactions.retrieve"
    assert (asked(mocked_http), pauses) == (1, [])


@pytest.mark.parametrize(
    ("given", "url"),
    [({"payment_link_id": "pl_1"}, BY_LINK), ({"order_reference": "ORD-1"}, BY_REFERENCE)],
    ids=repr,
)
@pytest.mark.asyncio
async def test_what_is_not_there_yet_is_waited_for(
    mocked_http: MockedHTTP, pauses: list[float], given: dict[str, Any], url: str
) -> None:
    for _ in range(3):
        mocked_http.get(url, status=404, payload={"code": 4, "message": "no"})
    answering(mocked_http, url, "created", "authorized")

    async with a_client() as plexy:
        assert (await plexy.transactions.wait(**given)).is_paid
    assert len(pauses) == 4


# -------------------------------------------------------------------------------------------- too late


async def too_late(**given: Any) -> DeadlineExceededError:
    async with a_client() as plexy:
        with pytest.raises(DeadlineExceededError) as caught:
            await plexy.transactions.wait(**given)
    return caught.value


@pytest.mark.asyncio
async def test_the_error_says_in_which_state_it_is(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    answering(mocked_http, BY_ID, "new", "TRANSACTION_STATUS_3D")
    error = await too_late(id="t", timeout=20)

    assert str(error) == "transactions.wait: not paid or final within 20 s: its status is '3d'"
    assert error.outcome is Outcome.UNKNOWN
    assert error.operation == "transactions.wait"
    assert error.order_reference == "ORD-1", "as the transaction that was found has it"
    assert error.__cause__ is None
    assert isinstance(error, TimeoutError)
    assert sum(pauses[:-1]) < 20 <= sum(pauses) + 1


@pytest.mark.asyncio
async def test_the_error_says_what_was_waited_for(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    answering(mocked_http, BY_ID, "authorized")
    error = await too_late(id="t", until="TRANSACTION_STATUS_CHARGED", timeout=2.5)

    assert str(error) == "transactions.wait: not 'charged' within 2.5 s: its status is 'authorized'"


@pytest.mark.asyncio
async def test_the_error_of_what_was_never_found(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    mocked_http.get(BY_LINK, status=404, payload={"code": 4, "message": "no link"}, repeat=True)
    error = await too_late(payment_link_id="pl_1", timeout=5)

    assert (
        str(error)
        == "transactions.wait: not paid or final within 5 s: nobody has paid: there is no transaction yet of"
        " the payment link 'pl_1'"
    )
    assert error.order_reference is None
    assert type(error.__cause__) is NotFoundError
    assert error.__cause__.message == "no link"
    assert not getattr(error, "__notes__", []), "this path is published"


@pytest.mark.asyncio
async def test_the_error_notes_that_the_path_is_assumed(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    assert Transactions.retrieve_by_order_reference.evidence is Evidence.ASSUMED
    mocked_http.get(BY_REFERENCE, status=404, payload={"code": 4, "message": "no"}, repeat=True)
    mocked_http.get(SEARCH, status=404, payload={"code": 4, "message": "none"}, repeat=True)

    error = await too_late(order_reference="ORD-1", timeout=5)
    assert error.order_reference == "ORD-1"
    searched, note = error.__notes__
    assert searched == (
        "payments.search (/v1/payments/search), asked after it, found nothing either: HTTP 404, code 4: none."
    )
    assert 'paths={"transactions.retrieve_by_order_reference": "/v1/..."}' in note


@pytest.mark.asyncio
async def test_the_error_pickles(mocked_http: MockedHTTP, pauses: list[float]) -> None:
    answering(mocked_http, BY_ID, "created")
    error = await too_late(id="t", timeout=1)
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again)) == (DeadlineExceededError, str(error))
    assert (again.outcome, again.operation, again.order_reference) == (
        Outcome.UNKNOWN,
        "transactions.wait",
        "ORD-1",
    )


@pytest.mark.asyncio
async def test_a_timeout_around_a_wait_is_the_callers_own(mocked_http: MockedHTTP) -> None:
    answering(mocked_http, BY_ID, "created")

    async with a_client() as plexy:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await plexy.transactions.wait("t", interval=0.01)
    assert not isinstance(caught.value, PlexyPayError)


@pytest.mark.asyncio
async def test_a_timeout_of_the_callers_key_is_not_taken_for_the_end_of_the_time(
    mocked_http: MockedHTTP, pauses: list[float]
) -> None:
    vault = TimeoutError("the vault is silent")

    def key() -> str:
        raise vault

    async with AsyncPlexyPay(key, base_url=BASE, retry=ONCE) as plexy:
        with pytest.raises(
            ConfigurationError, match=r"api_key: the function that returns it raised TimeoutError$"
        ) as caught:
            await plexy.transactions.wait("t")
    assert caught.value.__cause__ is vault
    # Its frames would hold what the vault gave.
    assert vault.__traceback__ is None
    assert caught.value.outcome is Outcome.NOT_SENT
    assert (asked(mocked_http), pauses) == (0, [])
