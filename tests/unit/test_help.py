"""What `help()` prints: of the packages, of a client's groups and calls, and of answers."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from importlib import import_module
from typing import Any

import pytest

import plexypay_async
from plexypay_async import AsyncPlexyPay, BulkResult, Page, PaymentLink, RefundResult
from plexypay_async._composed_docs import ComposedDoc, first_paragraph, written_doc
from plexypay_async.api.index import every_group
from plexypay_async.api.operation import Declared
from plexypay_async.apis import APIS
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_async.sandbox import Sandbox

LONGEST = 150
"""Lines of the help of a package: three screens."""


def printed(program: str, **environment: str) -> str:
    """Return what a program prints in a Python of its own."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def client_of(package: str) -> str:
    client = "AsyncPlexyPay" if package == "plexypay_async" else "PlexyPay"
    return f"import {package}; plexy = {package}.{client}('a-secret-key', base_url='http://127.0.0.1:9')"


both_packages = pytest.mark.parametrize("package", ["plexypay_async", "plexypay_sync"])


# ---------------------------------------------------------------------------------------------- packages


@both_packages
@pytest.mark.parametrize(
    "command", ["import {0}; help({0})", "import pydoc; print(pydoc.plain(pydoc.render_doc('{0}')))"]
)
def test_the_help_of_a_package_is_short_and_begins_with_a_program(package: str, command: str) -> None:
    lines = printed(command.format(package)).splitlines()

    assert len(lines) < LONGEST
    client = "AsyncPlexyPay" if package == "plexypay_async" else "PlexyPay"
    begin = "\n".join(lines[:20])
    assert f"from {package} import" in begin
    assert f"with {client}() as plexy" in begin
    assert "payment_links.create(" in begin
    text = "\n".join(lines)
    for further in (f"help({client})", "help(plexy.payment_links)", "PlexyGate", "PlexyCheckout", "outcome"):
        assert further in text
    assert text.index("PYTEST_DONT_REWRITE") > text.index("Where to look:")


@both_packages
def test_a_star_import_and_dir_have_every_name_after_help_was_asked_for(package: str) -> None:
    told = printed(
        f"""
        import contextlib, io, {package}
        with contextlib.redirect_stdout(io.StringIO()):
            help({package})
        names = {{}}
        exec("from {package} import *", names)
        print(set({package}.__all__) <= set(names) & set(dir({package})), len({package}.__all__) > 150)
        """
    )
    assert told.split() == ["True", "True"]


def test_the_first_program_of_each_package_runs() -> None:
    for package in ("plexypay_async", "plexypay_sync"):
        written = str(import_module(package).__doc__)
        program = textwrap.dedent(written.partition("\n\n")[2].partition("\n\nWhere to look:")[0])
        assert f"from {package} import" in program
        with Sandbox() as sandbox:
            printed_url = printed(
                program, PLEXYPAY_BASE_URL=sandbox.base_url, PLEXYPAY_API_KEY=sandbox.api_key
            )
            assert printed_url.startswith(f"{sandbox.base_url}/checkout/pl_")


# ------------------------------------------------------------------------------------------------ groups


@both_packages
def test_the_help_of_a_group_lists_its_calls_with_their_first_sentences(package: str) -> None:
    told = printed(f"{client_of(package)}; help(plexy.payment_links)")

    assert "Create, list, find, move and cancel payment links." in told
    calls = told.partition("Calls, each with a help() of its own:\n")[2].splitlines()
    assert [line.split(":")[0].strip() for line in calls if line.strip()] == [
        *("list", "retrieve", "retrieve_by_order_reference", "create", "create_or_retrieve", "create_many"),
        *("update_expiration", "cancel", "statistics"),
    ]
    assert "        create: Create a payment link." in calls
    assert "a-secret-key" not in told
    assert len(told.splitlines()) < 20


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_every_group_lists_all_its_calls(api: Any) -> None:
    for group in every_group(api):
        calls = {name: value for name, value in vars(group).items() if isinstance(value, Declared)}
        nobody: Any = None
        told = " ".join(str(group(nobody).__doc__).split())
        assert calls
        for name, declared in calls.items():
            sentence = first_paragraph(declared._parameters)  # pyright: ignore[reportPrivateUsage]
            assert sentence.endswith(".")
            assert f"{name}: {sentence}" in told
        # The class' own is what documents of the API take.
        assert inspect.getdoc(group) == written_doc(group)


def test_the_help_of_a_group_s_class_shows_the_same_sentences() -> None:
    told = printed("import plexypay_async; help(plexypay_async.PaymentLinks)")

    assert "create = <payment_links.create: POST /v1/payment-links>" in told
    assert "Create a payment link.\n" in told
    assert "`request` is the request class" not in told


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_the_class_tells_of_each_call_what_a_client_tells(api: Any) -> None:
    for group in every_group(api):
        for name, declared in vars(group).items():
            if not isinstance(declared, Declared):
                continue
            request = declared._parameters  # pyright: ignore[reportPrivateUsage]
            line, _, told = str(declared.__doc__).partition("\n\n")
            assert line.startswith(f"client.{group.group}.{name}(")
            assert list(inspect.signature(request).parameters) == re.findall(r"(?:\(|, )([a-z]\w*)", line)
            assert told == inspect.getdoc(request)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("Payments.refund", ["amount: In **major** units", "UnprocessableError: ", "amount=None"]),
        ("Transactions.list", ["size: Items per page", "`amount` in", "**major** units"]),
    ],
)
def test_the_help_of_a_call_of_a_class_has_parameters_and_units(call: str, told: list[str]) -> None:
    text = printed(f"import plexypay_async; help(plexypay_async.{call})")
    assert [each for each in told if each not in text] == []


# ----------------------------------------------------------------------------------------------- answers


def test_the_help_of_an_answer_shows_what_stands_below_its_fields() -> None:
    told = printed("import plexypay_async; help(plexypay_async.PaymentLink)")

    assert "amount: What the customer is to pay, in **minor** units of `currency`" in told
    assert "expires_at: When it stops taking payments, in UTC." in told
    # Those of its own come after those of its base, and what every answer has comes last.
    fields = told.partition("Fields:")[2]
    assert fields.index("amount:") < fields.index("url:") < fields.index("raw:")
    assert told.count("When it stops taking payments") == 1


def test_an_answer_s_fields_are_shown_where_there_is_an_object_too() -> None:
    link = PaymentLink(id="pl_1", amount=1, currency="KZT", status="active", url="https://x.example")  # type: ignore[arg-type]

    assert link.__doc__ == PaymentLink.__doc__
    for kind in (BulkResult, Page, RefundResult):
        assert "\n\nFields:\n" in str(kind.__doc__)
    assert "original_transaction_id: The transaction whose money went back." in str(RefundResult.__doc__)


def test_the_help_of_an_error_shows_its_attributes_and_those_of_its_bases() -> None:
    told = printed("import plexypay_async; help(plexypay_async.NotFoundError)")

    assert told.index("What is known of the call's effect") < told.index("status: The HTTP status.")
    assert "transaction_id: The transaction that a body with" in told
    assert "api_code:" not in told


def test_an_import_of_the_errors_imports_nothing_that_composes() -> None:
    told = printed("import sys, plexypay_async.errors; print({'attr', 'inspect'} & set(sys.modules))")
    assert told == "set()\n"


def test_nothing_is_composed_before_it_is_read() -> None:
    composed: list[type[Any]] = []

    def compose(kind: type[Any]) -> str:
        composed.append(kind)
        return "More."

    documented: Any = type("Documented", (), {"__doc__": ComposedDoc("Written.", of_class=compose)})

    assert written_doc(documented) == "Written."
    assert first_paragraph(documented) == "Written."
    assert documented().__doc__ == "Written."
    assert not composed
    assert documented.__doc__ == "Written.\n\nMore."
    assert composed == [documented]


def test_a_class_without_its_source_has_what_is_written() -> None:
    told = printed(
        """
        import inspect, plexypay_async
        def fail(*_):
            raise OSError("no source")
        inspect.getsource = fail
        print(plexypay_async.PaymentLink.__doc__)
        """
    )
    assert told.startswith("A payment link.\n")
    assert "Fields:" not in told


def test_help_is_that_of_the_call_on_a_client() -> None:
    plexy = AsyncPlexyPay("a-secret-key", base_url="http://127.0.0.1:9")

    assert plexy.payment_links.__doc__ != PaymentLinks.__doc__
    assert str(plexy.payment_links.__doc__).startswith(str(PaymentLinks.__doc__))
    assert inspect.getdoc(plexy.payment_links.create) == inspect.getdoc(plexypay_async.CreatePaymentLink)
