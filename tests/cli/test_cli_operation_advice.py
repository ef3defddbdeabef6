"""What a command tells to do next: where a lost call's work shows, and what to do about a refusal."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from plexypay_async.api.description import API
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Operation
from plexypay_async.apis import APIS
from plexypay_async.cli.operation_advice import Advice
from plexypay_async.cli.operations import commands_of
from plexypay_async.errors import OutcomeUnknownError, UnreadableResponseError
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payments import Payments, RefundPayment
from plexypay_async.pay.recurring import ChargeRecurringPayment, RecurringPayments
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.cli.ran import Ran
from tests.docs.blocks import run_by

if TYPE_CHECKING:
    from .conftest import ServedSandbox

CREATE = ["pay", "payment-links", "create", "--amount", "2200000", "--currency", "KZT"]
NOTED = [
    pytest.param(api, declaration, id=declaration.name)
    for api in APIS
    for declaration in every_declaration(api)
    if declaration.notes
]
(SHOWN,) = run_by(__file__)
BOUNDS = "only by a reference of the refund's own, and only one of several"


def advice_of(api: API) -> Advice:
    return Advice(api, partial(commands_of, api))


def charged(served: ServedSandbox, run: Ran, *options: str) -> str:
    """Return the id of a transaction of 22 000 KZT that was charged."""
    assert run(*CREATE, *options, "--yes") == 0
    served.ask("POST", f"/payment-links/{run.document['id']}/pay")
    assert run("pay", "transactions", "retrieve-by-payment-link", run.document["id"]) == 0
    transaction = str(run.document["id"])
    assert run("pay", "payments", "capture", transaction, "--yes") == 0
    return transaction


def commands(run: Ran) -> list[list[str]]:
    """Return the commands that were told, as a shell takes them."""
    return [shlex.split(line) for line in run.err.splitlines() if line.startswith("  ")]


# ------------------------------------------------------------------------------- where the work shows


def test_each_command_that_a_lost_refund_names_runs_and_shows_it(served: ServedSandbox, run: Ran) -> None:
    transaction = charged(served, run)
    served.misbehave("operation=payments.refund,cut=after,times=1")
    refund = ("pay", "payments", "refund", transaction, "--amount", "500,50", "--order-reference", "R 1")
    assert run(*refund, "--yes") == 3
    assert "transactions.history(" not in run.err
    assert (
        f"look for a refund of 500.50 in `transactions history`, `payments search` ({BOUNDS}) and" in run.err
    )
    assert "plexypay: look for a refund of 500.50 with\n" in run.err
    assert f"plexypay: look for a refund of 500.50 ({BOUNDS}) with\n" in run.err
    assert "#" not in run.err
    named = commands(run)
    assert [command[:4] for command in named] == [
        ["plexypay", "pay", "transactions", "history"],
        ["plexypay", "pay", "payments", "search"],
        ["plexypay", "pay", "transactions", "list"],
    ]
    for _, *command in named:
        assert run(*command) == 0
        assert "500.5" in run.out


def test_what_a_lost_refund_prints_is_as_the_guide_shows_it(served: ServedSandbox, run: Ran) -> None:
    transaction = charged(served, run)
    served.misbehave("operation=payments.refund,cut=after,times=1")
    refund = ("pay", "payments", "refund", transaction, "--amount", "500")
    assert run(*refund, "--order-reference", "INV-1-back", "--yes") == 3
    shown = run.err[run.err.index("plexypay: it is not known") :]
    assert shown.replace(transaction, "6f9619ff-8b86-d011-b42d-00c04fc964ff").rstrip() == SHOWN.rstrip()


def test_an_address_that_was_given_is_given_again(served: ServedSandbox, run: Ran) -> None:
    transaction = charged(served, run)
    served.misbehave("operation=payments.refund,cut=after,times=1")
    assert run("pay", "payments", "refund", transaction, "--base-url", served.base_url, "--yes") == 3
    named = commands(run)
    assert len(named) == 3
    assert all(command[-2:] == ["--base-url", served.base_url] for command in named)
    assert run(*named[2][1:]) == 0
    assert run.document["status"] == "refunded"


def test_a_command_is_safe_for_a_shell() -> None:
    advice = advice_of(PAY)
    request = RefundPayment("t; rm -rf /", amount=1, order_reference="-R '1'")
    history, search, _ = map(advice.command, advice.questions(Payments.refund, request, None))
    assert search is not None
    assert history is not None
    assert shlex.split(search) == ["plexypay", "pay", "payments", "search", "--order-reference=-R '1'"]
    assert shlex.split(history)[4:] == ["t; rm -rf /"]


@pytest.mark.parametrize("given", ["--yes", "-1", "t\n1", "t\x1b[2J"])
def test_a_value_that_cannot_stand_in_a_command_is_told_in_words(given: str) -> None:
    advice = advice_of(PAY)
    questions = advice.questions(Payments.refund, RefundPayment(given, amount=1), None)
    (first, none), (second, listing) = advice.steps(questions)
    assert (first, none) == (f"look for a refund of 1 by `transactions history` of {given!r}", [])
    assert (second, listing) == ("look for a refund of 1 with", ["plexypay pay transactions list"])


def test_what_to_look_for_is_no_part_of_a_command() -> None:
    advice = advice_of(PAY)
    request = ChargeRecurringPayment(amount=1, currency="KZT", card_token_id="c", initial_transaction_id="i")
    failure, cause = OutcomeUnknownError("x"), UnreadableResponseError("y")
    cause.named, failure.__cause__ = "$(touch x)", cause
    for _, made in advice.steps(advice.questions(RecurringPayments.charge, request, failure)):
        for command in made:
            assert "#" not in command
            assert "$(" not in command.replace("'$(touch x)'", "")


def test_the_id_that_an_answer_names_is_asked_for() -> None:
    advice = advice_of(PAY)
    request = ChargeRecurringPayment(amount=1, currency="KZT", card_token_id="c", initial_transaction_id="i")
    failure, cause = OutcomeUnknownError("x"), UnreadableResponseError("y")
    cause.named, failure.__cause__ = "tx_9", cause
    first, _ = map(advice.command, advice.questions(RecurringPayments.charge, request, failure))
    assert first == "plexypay pay transactions retrieve tx_9"


def test_a_link_that_is_found_again_is_made_by_the_same_command(served: ServedSandbox, run: Ran) -> None:
    served.misbehave("operation=payment_links.create,hang=true")
    again = ["pay", "payment-links", "create-or-retrieve", "--amount", "5", "--currency", "KZT"]
    again += ["--order-reference", "A", "--yes"]
    assert run(*again, "--timeout", "0.5") == 3
    assert "The same call is safe to repeat: it finds what has the order reference 'A'" in run.err
    assert "it is not known whether it was done: the same command is safe to run again\n" in run.err
    served.behave()
    assert run(*again) == 0
    assert run.document["order_reference"] == "A"


# ------------------------------------------------------------------------------------------- refusals


def test_a_refund_of_what_is_no_transaction_says_where_its_id_is_found(
    served: ServedSandbox, run: Ran
) -> None:
    transaction = charged(served, run, "--order-reference", "INV-1")
    assert run("pay", "payments", "refund", "INV-1", "--yes") == 1
    assert "plexypay pay transactions retrieve-by-order-reference finds it by an order's" in run.err
    assert run("pay", "transactions", "retrieve-by-order-reference", "INV-1") == 0
    assert run.document["id"] == transaction


def test_a_refund_of_what_is_authorized_says_what_can_be_done(served: ServedSandbox, run: Ran) -> None:
    assert run(*CREATE, "--yes") == 0
    served.ask("POST", f"/payment-links/{run.document['id']}/pay")
    assert run("pay", "transactions", "retrieve-by-payment-link", run.document["id"]) == 0
    assert run("pay", "payments", "refund", run.document["id"], "--yes") == 1
    assert "plexypay pay payments cancel releases it" in run.err
    assert "plexypay pay payments capture" in run.err


def test_a_link_that_is_cancelled_twice_is_told_of_as_its_help_says(served: ServedSandbox, run: Ran) -> None:
    assert run(*CREATE, "--yes") == 0
    link = run.document["id"]
    assert run("pay", "payment-links", "cancel", link, "--yes") == 0
    assert run("pay", "payment-links", "cancel", link, "--yes") == 1
    assert "Nothing has changed: plexypay pay payment-links retrieve shows its state." in run.err
    assert run("pay", "payment-links", "cancel", "--help") == 0
    told = " ".join(run.out.split())
    assert "the second time it is refused, with exit code 1, and changes nothing" in told


@pytest.mark.parametrize(("api", "declaration"), NOTED)
def test_every_note_names_commands_that_there_are(api: Any, declaration: Operation[..., Any]) -> None:
    advice = advice_of(api)
    for note in declaration.notes.values():
        told = advice.noted(note)
        assert "_" not in told.replace("pl_", "")
        assert told.count("plexypay pay ") == sum(
            note.count(other.name) for other in every_declaration(api) if f"{other.name}_" not in note
        )


# ------------------------------------------------------------------------------------- what is told before


@on_posix
def test_who_refunds_without_an_amount_is_told_that_all_of_it_goes_back(
    served: ServedSandbox, run: Ran
) -> None:
    transaction = charged(served, run)
    for options, told in ((), True), (("--amount", "1"), False):
        terminal = Terminal(["pay", "payments", "refund", transaction, *options], columns=400)
        shown = terminal.read(until=r"\[y/N\] ")
        assert ("(--amount: all that is left of the payment)? [y/N]" in shown) is told
        terminal.press(b"n\r")
        terminal.read()
        assert terminal.close() == 2
    assert served.count("payments.refund") == 0


def test_a_state_that_is_not_known_is_told_of_and_sent(
    served: ServedSandbox, run: Ran, caplog: pytest.LogCaptureFixture
) -> None:
    listing = ("pay", "payment-links", "list", "--status")
    assert run(*listing, "oplacheno") == 0
    assert run.err.startswith(
        "plexypay: --status: 'oplacheno' is none of the known: active, paid, expired, cancelled; it is sent"
        " as it is\n"
    )
    # It is told of once.
    assert "none of the known" not in caplog.text
    assert served.count("payment_links.list") == 1
    for known in ("active", "PAID"):
        assert run(*listing, known) == 0
        assert "none of the known" not in run.err


def test_every_listing_says_what_its_amounts_are_in() -> None:
    for api in APIS:
        for declaration in every_declaration(api):
            item: Any = getattr(declaration, "item", None)
            if item is None or not any("amount" in field.name for field in attrs.fields(item)):
                continue
            told = str(declaration.request.__doc__).partition("Returns:")[2].partition("Raises:")[0]
            assert "unit" in told, declaration.name
