"""Every operation of the vendor's index is on both facades and in the sandbox, and nothing else is.

`api_index.txt` has the headings and titles of the index as the vendor writes them, typing errors included.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Declaration
from plexypay_async.apis import APIS
from plexypay_async.pay.description import PAY
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

URL = "http://127.0.0.1:1"
INDEX_FILE = Path(__file__).with_name("api_index.txt")

BENEFICIARIES = "/v1/merchants/beneficiaries"
ORDERS = "/v1/merchants/settlement-payment-orders"

INDEX = {
    ("Payment Links", "Create Payment Link"): ("payment_links.create", "POST", "/v1/payment-links"),
    ("Payment Links", "List Payment Links"): ("payment_links.list", "GET", "/v1/payment-links"),
    ("Payment Links", "Retrieve Payment Link by Order Reference"): (
        "payment_links.retrieve_by_order_reference",
        "GET",
        "/v1/payment-links/by-order-reference/{order_reference}",
    ),
    ("Payment Links", "Cancel Payment Link"): (
        "payment_links.cancel",
        "DELETE",
        "/v1/payment-links/{external_id}",
    ),
    ("Payment Links", "Retrieve Payment Link"): (
        "payment_links.retrieve",
        "GET",
        "/v1/payment-links/{external_id}",
    ),
    ("Payment Links", "Update Payment Link Expiration"): (
        "payment_links.update_expiration",
        "PATCH",
        "/v1/payment-links/{external_id}",
    ),
    ("Payment Links", "Retrieve Payment Links Statistics"): (
        "payment_links.statistics",
        "GET",
        "/v1/payment-links/statistics",
    ),
    ("Reccurent Payments", "Create Merchant-Initiated Payment"): (
        "recurring.charge",
        "POST",
        "/v1/payments/recurring/merchant/initiated",
    ),
    ("Direct Payments", "Get Keys"): ("direct_payments.keys", "GET", "/v1/payments/direct/keys"),
    ("Direct Payments", "Create Host-to-Host Payment"): (
        "direct_payments.create",
        "POST",
        "/v1/payments/direct",
    ),
    ("Transaction Management", "Find Transaction's History by ID"): (
        "transactions.history",
        "GET",
        "/v1/transactions/{id}/history",
    ),
    ("Transaction Management", "Find Transaction by Payment Link ID"): (
        "transactions.retrieve_by_payment_link",
        "GET",
        "/v1/transactions/by-payment-link/{payment_link_id}",
    ),
    ("Transaction Management", "Find Transaction by ID"): (
        "transactions.retrieve",
        "GET",
        "/v1/transactions/{id}",
    ),
    ("Transaction Management", "Find Transaction by Order reference"): (
        "transactions.retrieve_by_order_reference",
        "GET",
        "/v1/transactions/by-order-reference/{order_reference}",
    ),
    ("Payment Management", "Cancel Payment"): ("payments.cancel", "POST", "/v1/payments/{id}/cancel"),
    ("Payment Management", "Capture Payment"): ("payments.capture", "POST", "/v1/payments/{id}/capture"),
    ("Payment Management", "Process Refund"): ("payments.refund", "POST", "/v1/payments/{id}/refund"),
    ("Split Requests", "Create"): ("split_requests.create", "POST", "/v1/split-requests"),
    ("Split Requests", "List"): ("split_requests.list", "GET", "/v1/split-requests"),
    ("Split Requests", "Update"): ("split_requests.update", "PUT", "/v1/split-requests/{id}"),
    ("Split Requests", "Get By Id"): ("split_requests.retrieve", "GET", "/v1/split-requests/{id}"),
    ("Split Requests", "Delete"): ("split_requests.delete", "DELETE", "/v1/split-requests/{id}"),
    ("Settlement Payment Order", "Create"): ("settlement_orders.create", "POST", ORDERS),
    ("Settlement Payment Order", "Get by id"): ("settlement_orders.retrieve", "GET", ORDERS + "/{id}"),
    ("Settlement Payment Order", "List"): ("settlement_orders.list", "GET", ORDERS),
    ("Payouts", "Retrieve Payout Transactions"): ("payouts.list", "GET", "/v1/payouts"),
    ("Payouts", "Process Payout"): ("payouts.create", "POST", "/v1/payouts"),
    ("Payouts", "Save Card for Payouts"): ("payouts.save_card", "POST", "/v1/payouts/cards"),
    ("Customers", "Get Customer's Card Tokens"): (
        "customers.card_tokens",
        "GET",
        "/v1/customers/{id}/card-tokens",
    ),
    ("Customers", "List Customers"): ("customers.list", "GET", "/v1/customers"),
    ("Customers", "Create Customer"): ("customers.create", "POST", "/v1/customers"),
    ("Customers", "Get Customer by ID"): ("customers.retrieve", "GET", "/v1/customers/{id}"),
    ("Customers", "Get Customer's Transactions"): (
        "customers.transactions",
        "GET",
        "/v1/customers/{id}/transactions",
    ),
    ("Payment Beneficiary", "Create"): ("beneficiaries.create", "POST", BENEFICIARIES),
    ("Payment Beneficiary", "Update"): ("beneficiaries.update", "PUT", BENEFICIARIES + "/{id}"),
    ("Payment Beneficiary", "Gey By Id"): ("beneficiaries.retrieve", "GET", BENEFICIARIES + "/{id}"),
    ("Payment Beneficiary", "List"): ("beneficiaries.list", "GET", BENEFICIARIES),
    ("Payment Beneficiary", "Transfer from beneficiary balance to merchant balance"): (
        "beneficiaries.transfer",
        "POST",
        BENEFICIARIES + "/{id}/transfer",
    ),
    ("Payment Beneficiary", "Create manual settlement for beneficiary"): (
        "beneficiaries.settle",
        "POST",
        BENEFICIARIES + "/{id}/settlements",
    ),
    ("Merchants", "Retrieve Merchant's Details"): ("merchant.retrieve", "GET", "/v1/merchants/me"),
}

WALLET = [
    ("wallet.authorize", "POST", "/v1/wallet/authorize"),
    ("wallet.capture", "POST", "/v1/wallet/{wallet_transaction_id}/capture"),
    ("wallet.refund", "POST", "/v1/wallet/{wallet_transaction_id}/refund"),
    ("wallet.cancel", "POST", "/v1/wallet/{wallet_transaction_id}/cancel"),
    ("wallet.retrieve", "GET", "/v1/wallet/transaction/{wallet_transaction_id}"),
    ("wallet.list", "GET", "/v1/wallet/transactions/"),
]

NOT_IN_THE_INDEX = [
    ("direct_payments.continue_3ds", "POST", "/v1/3ds/callback"),
    ("payments.search", "GET", "/v1/payments/search"),
    ("transactions.list", "GET", "/v1/transactions"),
]

KNOWN = [*INDEX.values(), *WALLET, *NOT_IN_THE_INDEX]
DECLARED: dict[str, Declaration[...]] = {
    declaration.name: declaration for declaration in every_declaration(PAY)
}

each_known = pytest.mark.parametrize(("name", "method", "path"), KNOWN, ids=[name for name, _, _ in KNOWN])


def index() -> Iterator[tuple[str, str]]:
    """Read the index: a heading, and its titles indented below it."""
    heading = ""
    for line in INDEX_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            yield heading, line.strip()
        else:
            heading = line


def test_every_operation_of_the_index_has_a_call() -> None:
    titles = list(index())

    assert len(titles) == len(set(titles)) == 40
    assert set(titles) == set(INDEX)
    assert (titles[0], titles[-1]) == (
        ("Payment Links", "Create Payment Link"),
        ("Merchants", "Retrieve Merchant's Details"),
    )


def test_every_call_is_known_once() -> None:
    names = [name for name, _, _ in KNOWN]

    assert len(WALLET) == 6
    assert sorted(names) == sorted(DECLARED)


@each_known
def test_the_declaration_is_that_call(name: str, method: str, path: str) -> None:
    declaration = DECLARED[name]

    assert (declaration.method, declaration.path) == (method, path)


@pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=["async", "sync"])
@each_known
def test_both_facades_have_the_call(facade: Any, name: str, method: str, path: str) -> None:
    group, _, attribute = name.partition(".")
    resource = getattr(facade("key", base_url=URL), group)

    call = getattr(resource, attribute)
    assert callable(call)
    assert list(inspect.signature(call).parameters)[-1] == "extra"
    declaration = getattr(type(resource), attribute)
    assert (declaration.method, declaration.path) == (method, path)


# -------------------------------------------------------------------------------------------- the sandbox


@pytest_asyncio.fixture
async def served() -> Any:
    async with Sandbox() as sandbox:
        return sandbox.served()


@pytest.mark.asyncio
async def test_the_sandbox_serves_every_call(served: Any) -> None:
    expected = {name: (method, path) for name, method, path in KNOWN}

    assert sorted(expected.keys() - served.keys()) == []
    others = tuple(f"{api.name}." for api in APIS if api is not PAY)
    assert {name: place for name, place in served.items() if not name.startswith(others)} == expected
