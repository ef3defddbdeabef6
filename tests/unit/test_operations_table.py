"""The docs' table of operations is the declarations', and says all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plexypay_async.api.description import API
from plexypay_async.api.index import every_declaration, every_group
from plexypay_async.api.operation import Bulk, Declaration, Evidence, Wait
from plexypay_async.apis import APIS
from plexypay_async.pay.description import PAY
from tools.operations_table import operations_table

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENTS = {api: DOCS / ("operations.md" if api is PAY else f"operations-{api.name}.md") for api in APIS}

each_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
each_declaration = pytest.mark.parametrize(
    "declaration",
    [one for api in APIS for one in every_declaration(api)],
    ids=lambda declaration: f"{declaration.api.name}.{declaration.name}",
)


def row_of(name: str, api: API = PAY) -> list[str]:
    (row,) = [line for line in operations_table(api).splitlines() if line.startswith(f"| `{name}`")]
    return [cell.strip() for cell in row.strip("|").split("|")]


@each_api
def test_the_document_is_up_to_date(api: API) -> None:
    document = DOCUMENTS[api]
    assert document.read_text(encoding="utf-8") == operations_table(api), (
        f"{document} is stale: make operations"
    )


@each_api
def test_the_command_writes_the_document(api: API) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tools.operations_table", *([] if api is PAY else [api.name])],
        capture_output=True,
        check=True,
        timeout=120,
    )

    assert ran.stdout.decode().splitlines() == operations_table(api).splitlines()
    assert ran.stderr == b""


@each_declaration
def test_each_operation_has_a_row(declaration: Declaration[...]) -> None:
    call, http, evidence, replay = row_of(declaration.name, declaration.api)

    assert call.startswith(f"`{declaration.name}`")
    assert call.endswith(", pages") is (type(declaration).__name__ == "Listing")
    assert http == f"`{declaration.method} {declaration.path}`"
    assert evidence == declaration.evidence.value
    assert replay.split(",")[0].split(";")[0] == declaration.replay.value


@pytest.mark.parametrize(
    ("name", "replay"),
    [
        ("wallet.authorize", "same_key, by `idempotency_key`"),
        ("settlement_orders.create", "same_key, by `request_id`"),
        ("payments.refund", "money"),
        ("customers.create", "create"),
        ("payouts.save_card", "create"),
    ],
)
def test_what_a_row_says_of_repeats(name: str, replay: str) -> None:
    assert row_of(name)[3] == replay


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_where_the_work_of_an_operation_shows_stands_below_its_table(api: API) -> None:
    text = " ".join(operations_table(api).split())
    for declaration in every_declaration(api):
        assert (f"- `{declaration.name}`: " in text) is (declaration.settled_by is not None)
        line = text.partition(f"- `{declaration.name}`: ")[2].partition(" - `")[0]
        for look in () if declaration.settled_by is None else declaration.settled_by.looks:
            assert f"`{look.call}`{look.condition}" in line


def test_what_is_said_of_a_refund() -> None:
    assert (
        "- `payments.refund`: a refund of its amount in `transactions.history`, `payments.search` where"
        " `order_reference` was given (only by a reference of the refund's own, and only one of several) and"
        " `transactions.list`; the status `refunded` in `transactions.retrieve` where no `amount` was given."
    ) in " ".join(operations_table().split())


def test_every_word_of_the_table_is_explained() -> None:
    head = operations_table().partition("\n## `")[0]

    for word in (*Evidence, *{one.replay for api in APIS for one in every_declaration(api)}):
        assert f"| `{word.value}` |" in head
    assert "paths={" in head


@each_api
def test_calls_that_are_built_on_operations_are_named(api: API) -> None:
    text = operations_table(api)

    for group in every_group(api):
        assert f"\n## `{group.group}`\n" in text
        for value in vars(group).values():
            if isinstance(value, (Bulk, Wait)):
                assert f"`{value.name}`" in text
