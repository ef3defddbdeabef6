"""The docs' table of operations is the declarations', and says all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plexypay_async.api.index import every_declaration, every_group
from plexypay_async.api.operation import Bulk, Declaration, Evidence, Wait
from plexypay_async.pay.description import PAY
from tools.operations_table import operations_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
COMMAND = "python -m tools.operations_table > docs/operations.md"

each_declaration = pytest.mark.parametrize(
    "declaration", list(every_declaration(PAY)), ids=lambda declaration: declaration.name
)


def row_of(name: str) -> list[str]:
    (row,) = [line for line in operations_table().splitlines() if line.startswith(f"| `{name}`")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == operations_table(), (
        f"docs/operations.md is stale; make it anew with: {COMMAND}"
    )


def test_the_command_writes_the_document() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tools.operations_table"],
        capture_output=True,
        check=True,
        timeout=120,
    )

    assert ran.stdout.decode().splitlines() == operations_table().splitlines()
    assert ran.stderr == b""


@each_declaration
def test_each_operation_has_a_row(declaration: Declaration[...]) -> None:
    call, http, evidence, replay = row_of(declaration.name)

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
        ("payments.refund", "money; ask `transactions.retrieve`"),
        ("payouts.create", "money; ask `payouts.list`"),
        ("customers.create", "create; ask `customers.list`"),
        ("payouts.save_card", "create"),
    ],
)
def test_what_a_row_says_of_repeats(name: str, replay: str) -> None:
    assert row_of(name)[3] == replay


def test_every_word_of_the_table_is_explained() -> None:
    head = operations_table().partition("\n## `")[0]

    for word in (*Evidence, *{declaration.replay for declaration in every_declaration(PAY)}):
        assert f"| `{word.value}` |" in head
    assert "paths={" in head


def test_calls_that_are_built_on_operations_are_named() -> None:
    text = operations_table()

    for group in every_group(PAY):
        assert f"\n## `{group.group}`\n" in text
        for value in vars(group).values():
            if isinstance(value, (Bulk, Wait)):
                assert f"`{value.name}`" in text
