"""The calls of each group on a client: keys over attempts, repeats, assumed paths, options, and help."""

from __future__ import annotations

import inspect
import json
import pydoc
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from yarl import URL

from plexypay_async import (
    APIError,
    AsyncPlexyPay,
    Evidence,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RefusedError,
    Replay,
    RetryPolicy,
    SomethingWentWrongError,
    UnprocessableError,
    WalletTransaction,
)
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Declaration
from plexypay_async.pay.description import PAY
from plexypay_sync import PlexyPay

from .mocked_http import MockedHTTP

BASE = "https://api.example"
QUICK = RetryPolicy(base=0, cap=0)
ORDERS = f"{BASE}/v1/merchants/settlement-payment-orders"
AUTHORIZE = f"{BASE}/v1/wallet/authorize"
TRANSACTION = {"walletTransactionId": "w-1", "walletTransactionStatus": "NEW", "amount": 100}
DONE = {
    "id": "i-1",
    "walletTransactionId": "i-1",
    "walletTransactionStatus": "NEW",
    "amount": 1099,
    "currency": "KZT",
    "status": "authorized",
}
"""What each of `CALLS` may be answered with: as it was asked for."""
NOT_FOUND = {"code": 4, "message": "Not Found"}

DECLARED = {declaration.name: declaration for declaration in every_declaration(PAY)}
DECLARATIONS = list(DECLARED.values())


def a_client(**options: Any) -> AsyncPlexyPay:
    given: dict[str, Any] = {"base_url": BASE, "retry": QUICK, **options}
    return AsyncPlexyPay("key", **given)


class Seen:
    """What reached the server: the key of each attempt, and its body."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        self.bodies: list[Any] = []

    def __call__(self, url: URL, **options: Any) -> None:
        self.keys.append(options["headers"].get("Idempotency-Key"))
        self.bodies.append(json.loads(options["data"].decode()))


# --------------------------------------------------------------------------------------- keys over attempts


@pytest.mark.asyncio
@pytest.mark.parametrize("key", [None, "the caller's"])
async def test_a_wallet_authorization_keeps_its_key_over_all_attempts(
    mocked_http: MockedHTTP, key: str | None
) -> None:
    seen = Seen()
    for status, code in ((503, 1), (500, 2), (429, 3)):
        mocked_http.post(AUTHORIZE, status=status, payload={"code": code, "message": "x"}, callback=seen)
    mocked_http.post(AUTHORIZE, payload=TRANSACTION, callback=seen)

    async with a_client() as plexy:
        transaction = await plexy.wallet.authorize(amount=100, idempotency_key=key)

    assert type(transaction) is WalletTransaction
    assert len(seen.keys) == 4
    (sent,) = set(seen.keys)
    assert sent is not None
    assert sent == key if key is not None else UUID(sent).version == 4
    assert seen.bodies == [{"amount": 100}] * 4


@pytest.mark.asyncio
@pytest.mark.parametrize("key", [None, "the caller's"])
async def test_a_settlement_order_keeps_its_key_over_all_attempts(
    mocked_http: MockedHTTP, key: str | None
) -> None:
    seen = Seen()
    for status, code in ((503, 1), (500, 2)):
        mocked_http.post(ORDERS, status=status, payload={"code": code, "message": "x"}, callback=seen)
    mocked_http.post(ORDERS, payload={"payment_order_id": "o-1"}, callback=seen)

    async with a_client() as plexy:
        await plexy.settlement_orders.create(amount=1, currency="KZT", request_id=key)

    assert len(seen.bodies) == 3
    (sent,) = {body["requestId"] for body in seen.bodies}
    assert sent == key if key is not None else UUID(sent).version == 4
    assert set(seen.keys) == {None}


@pytest.mark.asyncio
async def test_each_call_has_a_key_of_its_own(mocked_http: MockedHTTP) -> None:
    seen = Seen()
    mocked_http.post(AUTHORIZE, payload=TRANSACTION, callback=seen, repeat=True)

    async with a_client() as plexy:
        await plexy.wallet.authorize(amount=100)
        await plexy.wallet.authorize(amount=100)

    assert len(set(seen.keys)) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "payload", "kind"),
    [
        (422, {"code": 5, "message": "no"}, UnprocessableError),
        (500, {"code": 2, "message": "no"}, OutcomeUnknownError),
        (200, {"success": False, "message": "no"}, RefusedError),
    ],
)
async def test_an_error_of_a_keyed_call_has_the_key(
    mocked_http: MockedHTTP, status: int, payload: Any, kind: type[PlexyPayError]
) -> None:
    seen = Seen()
    mocked_http.post(AUTHORIZE, status=status, payload=payload, callback=seen, repeat=True)

    async with a_client(retry=RetryPolicy(max_attempts=2, base=0, cap=0)) as plexy:
        with pytest.raises(kind) as caught:
            await plexy.wallet.authorize(amount=100)

    assert {caught.value.idempotency_key} == set(seen.keys)
    if kind is OutcomeUnknownError:
        assert len(seen.keys) == 2
        assert f"idempotency_key={caught.value.idempotency_key!r} is safe to repeat" in str(caught.value)


# ---------------------------------------------------------------------------------------- money and creates

CALLS: dict[str, Callable[[AsyncPlexyPay], Any]] = {
    "recurring.charge": lambda plexy: plexy.recurring.charge(
        amount=1099, currency="KZT", card_token_id="ct-1", initial_transaction_id="t-1"
    ),
    "payouts.create": lambda plexy: plexy.payouts.create(extra={"amount": 1}),
    "beneficiaries.transfer": lambda plexy: plexy.beneficiaries.transfer("i-1", extra={"amount": 1}),
    "beneficiaries.settle": lambda plexy: plexy.beneficiaries.settle("i-1"),
    "wallet.capture": lambda plexy: plexy.wallet.capture("i-1"),
    "wallet.refund": lambda plexy: plexy.wallet.refund("i-1"),
    "wallet.cancel": lambda plexy: plexy.wallet.cancel("i-1"),
    "split_requests.create": lambda plexy: plexy.split_requests.create(extra={"a": 1}),
    "customers.create": lambda plexy: plexy.customers.create(extra={"a": 1}),
    "beneficiaries.create": lambda plexy: plexy.beneficiaries.create(extra={"a": 1}),
    "payouts.save_card": lambda plexy: plexy.payouts.save_card(extra={"a": 1}),
}
SETTLED_BY = {
    "recurring.charge": "a new payment in transactions.list()",
    "payouts.create": "a new payout in payouts.list()",
    "beneficiaries.transfer": "a changed balance in beneficiaries.retrieve('i-1')",
    "beneficiaries.settle": "a changed balance in beneficiaries.retrieve('i-1')",
    "wallet.capture": "a changed status in wallet.retrieve('i-1')",
    "wallet.refund": (
        "a changed status in wallet.retrieve('i-1'), and for a new transaction in wallet.list()"
    ),
    "wallet.cancel": "a changed status in wallet.retrieve('i-1')",
}


def address_of(name: str) -> str:
    declaration = DECLARED[name]
    return BASE + declaration.path.format(**dict.fromkeys(declaration.path_parameters, "i-1"))


def attempts(http: MockedHTTP) -> int:
    return sum(len(calls) for calls in http.requests.values())


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("payload", "repeated"),
    [
        ({"message": "failed to handle"}, False),
        ({"message": "failed to handle", "code": 500}, False),
        ({"message": "failed to handle", "code": 2}, True),
        ({"message": "failed to handle", "type": "apiError"}, True),
    ],
    ids=repr,
)
async def test_what_an_unknown_outcome_says(
    mocked_http: MockedHTTP, name: str, payload: dict[str, Any], repeated: bool
) -> None:
    mocked_http.post(address_of(name), status=500, payload=payload, repeat=True)
    money = DECLARED[name].replay is Replay.MONEY

    async with a_client(retry=RetryPolicy(max_attempts=3, base=0, cap=0)) as plexy:
        with pytest.raises(OutcomeUnknownError, match="failed to handle") as caught:
            await CALLS[name](plexy)

    assert money is (name in SETTLED_BY)
    # What is in between says it without the API's own body, and may have handed the work on.
    assert attempts(mocked_http) == (3 if repeated and not money else 1)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert type(caught.value.__cause__) is SomethingWentWrongError
    if money:
        told = str(caught.value)
        assert f"Money may have moved: look for {SETTLED_BY[name]} before doing it again." in told
        # Nobody has published where these show.
        is_doubtful = name in ("wallet.refund", "beneficiaries.transfer", "beneficiaries.settle")
        assert told.endswith("ask the vendor's support.") is is_doubtful


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
async def test_code_1_is_repeated(mocked_http: MockedHTTP, name: str) -> None:
    mocked_http.post(address_of(name), status=503, payload={"code": 1, "message": "later"})
    mocked_http.post(address_of(name), payload=DONE)

    async with a_client() as plexy:
        answer = await CALLS[name](plexy)

    assert attempts(mocked_http) == 2
    assert answer.id == "i-1"


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CALLS)
async def test_a_503_without_a_code_is_not_repeated(mocked_http: MockedHTTP, name: str) -> None:
    mocked_http.post(address_of(name), status=503, payload={"message": "later"})
    mocked_http.post(address_of(name), payload=DONE, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(OutcomeUnknownError, match="later") as caught:
            await CALLS[name](plexy)

    assert attempts(mocked_http) == 1
    assert caught.value.outcome is Outcome.UNKNOWN


ECHOING: dict[str, list[dict[str, Any]]] = {
    "recurring.charge": [{"amount": 1100}, {"currency": "USD"}],
    "wallet.capture": [{"walletTransactionId": "w-1"}],
    "wallet.cancel": [{"walletTransactionId": "w-1"}],
}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, others in ECHOING.items() for other in others], ids=repr
)
async def test_an_answer_of_another_request_is_no_success(
    mocked_http: MockedHTTP, name: str, other: dict[str, Any]
) -> None:
    mocked_http.post(address_of(name), payload={**DONE, **other})
    mocked_http.post(address_of(name), payload=DONE, repeat=True)

    async with a_client() as plexy:
        with pytest.raises(OutcomeUnknownError, match="the answer is of another request: ") as caught:
            await CALLS[name](plexy)

    # Money moves once, whatever came of it.
    assert attempts(mocked_http) == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    assert set(ECHOING) == {one for one in CALLS if DECLARED[one].echoes}


# ------------------------------------------------------------------------------------------- assumed paths

ASSUMED: dict[str, Callable[[AsyncPlexyPay], Any]] = {
    "customers.retrieve": lambda plexy: plexy.customers.retrieve("i-1"),
    "customers.card_tokens": lambda plexy: plexy.customers.card_tokens("i-1"),
    "merchant.retrieve": lambda plexy: plexy.merchant.retrieve(),
    "customers.list": lambda plexy: plexy.customers.list(size=5).first_page(),
    "customers.transactions": lambda plexy: plexy.customers.transactions("i-1", size=5).first_page(),
    "settlement_orders.list": lambda plexy: plexy.settlement_orders.list(size=5).first_page(),
}


def query(name: str) -> str:
    return "" if type(DECLARED[name]).__name__ == "Operation" else "?page=1&size=5"


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ASSUMED)
async def test_an_error_of_an_assumed_path_says_so(mocked_http: MockedHTTP, name: str) -> None:
    mocked_http.get(address_of(name) + query(name), status=404, payload=NOT_FOUND)

    async with a_client() as plexy:
        with pytest.raises(NotFoundError) as caught:
            await ASSUMED[name](plexy)

    assert DECLARED[name].evidence is Evidence.ASSUMED
    assert caught.value.__notes__ == [
        f"The path {DECLARED[name].path} is assumed, not published: if it is wrong, override it with "
        f'paths={{"{name}": "/v1/..."}}.'
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ASSUMED)
@pytest.mark.parametrize("derived", [False, True], ids=["client", "with_options"])
async def test_an_error_of_another_path_does_not(mocked_http: MockedHTTP, name: str, derived: bool) -> None:
    paths = {name: DECLARED[name].path.replace("/v1/", "/v9/")}
    url = address_of(name).replace("/v1/", "/v9/") + query(name)
    mocked_http.get(url, status=404, payload=NOT_FOUND)

    async with a_client(paths=None if derived else paths) as plexy:
        with pytest.raises(NotFoundError) as caught:
            await ASSUMED[name](plexy.with_options(paths=paths) if derived else plexy)

    assert not hasattr(caught.value, "__notes__")


@pytest.mark.asyncio
async def test_an_error_of_a_published_path_does_not(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/wallet/transaction/w", status=404, payload=NOT_FOUND)
    mocked_http.get(f"{BASE}/v1/wallet/transactions/?page=1&size=100", status=404, payload=NOT_FOUND)

    async with a_client() as plexy:
        for asked in (plexy.wallet.retrieve("w"), plexy.wallet.list().first_page()):
            with pytest.raises(APIError) as caught:
                await asked
            assert not hasattr(caught.value, "__notes__")


# ------------------------------------------------------------------------------------------- options and help


@pytest.mark.asyncio
async def test_options_reach_every_group(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/merchants/me", payload={"id": "m-1"}, repeat=True)

    async with a_client() as plexy:
        other = plexy.with_options(api_key="another")
        assert other.merchant is not plexy.merchant
        assert (await other.merchant.retrieve()).id == (await plexy.merchant.retrieve()).id == "m-1"

    (calls,) = mocked_http.requests.values()
    assert [call.kwargs["headers"]["Authorization"] for call in calls] == ["another", "key"]


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda declaration: declaration.name)
@pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=["async", "sync"])
def test_help_ends_with_extra(facade: Any, declaration: Declaration[...]) -> None:
    group, _, name = declaration.name.partition(".")
    call = getattr(getattr(facade("key", base_url=BASE), group), name)
    parameters = inspect.signature(call).parameters

    text = " ".join(pydoc.plain(pydoc.render_doc(call)).split())
    assert list(parameters)[-1] == "extra"
    assert all(f" {parameter}: " in text for parameter in parameters)
    assert (inspect.getdoc(declaration.request) or "").splitlines()[0] in text
    # What is assumed is said where the call is read, with the way out.
    if declaration.evidence is Evidence.ASSUMED:
        assert f'paths={{"{declaration.name}": "/v1/..."}}' in text
