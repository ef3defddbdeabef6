"""The help of every operation, and what is imported for it."""

from __future__ import annotations

import re
import subprocess
import sys

import attrs
import pytest

from plexypay_async.api.index import groups_of
from plexypay_async.api.operation import Bulk, Declared
from plexypay_async.apis import APIS, api_of
from plexypay_async.cli import operations
from plexypay_async.cli.command import build_parser, main
from plexypay_async.cli.operation_values import Form, parameters_of
from plexypay_async.cli.operation_words import command_name
from plexypay_async.cli.operations import operations_of

EVERY_GROUP = [
    pytest.param(api.name, command_name(attribute), id=f"{api.name} {attribute}")
    for api in APIS
    for attribute in groups_of(api)
]
EVERY_OPERATION = [
    pytest.param(
        f"{api.name} {command_name(attribute)} {command}", declared, id=f"{api.name} {declared.name}"
    )
    for api in APIS
    for attribute in groups_of(api)
    for command, declared in operations_of(api, attribute).items()
]
MARKS = re.compile(r"`|\*\*|None\b|\bpaths=|\brepr\b|Money\.major")
AMOUNT = re.compile(r"(^|_)amount(_|$)")


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str) -> str:
    """Return the help of a command in 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def request_of(declared: Declared[...]) -> type:
    return declared._parameters  # type: ignore[return-value]


def test_every_api_has_its_command_in_the_order_of_the_library() -> None:
    assert tuple(api.name for api in APIS) == operations.NAMES
    assert len(EVERY_OPERATION) > 45


@pytest.mark.parametrize("name", operations.NAMES)
def test_the_help_of_an_api_has_its_groups_and_its_environment(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(capsys, monkeypatch, name)
    api = api_of(name)
    for attribute in groups_of(api):
        assert re.search(rf"^    {command_name(attribute)}( |$)", text, re.MULTILINE), attribute
    for variable in (api.key_variable, api.base_url_variable, *(each.variable for each in api.parameters)):
        assert f"\n  {variable} " in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("api", "group"), EVERY_GROUP)
def test_the_help_of_a_group_says_what_each_operation_does(
    api: str, group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(capsys, monkeypatch, api, group)
    told = text.partition("\noperations:\n")[2]
    commands = re.findall(r"^    (\S+)(?: +|\n +)([A-Z])", told, re.MULTILINE)
    declared = operations_of(api_of(api), group.replace("-", "_"))
    assert [name for name, _ in commands] == [*declared]
    assert max(map(len, text.splitlines())) <= 80
    assert MARKS.search(text) is None


@pytest.mark.parametrize(("command", "declared"), EVERY_OPERATION)
def test_the_help_of_an_operation_says_all_that_it_takes(
    command: str,
    declared: Declared[...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(capsys, monkeypatch, *command.split())
    usage, _, rest = text.partition("\n\n")
    assert " ".join(usage.split()).startswith(f"usage: plexypay {command} ")
    assert max(map(len, text.splitlines())) <= 80
    assert MARKS.search(text) is None
    assert re.search(r"^  evidence +\S", text, re.MULTILINE)
    asked = rest.partition("\nrequest:\n")[2].partition("\ncall:\n")[0]
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(request_of(declared)))}
    for parameter in parameters_of(request_of(declared)):
        assert re.search(rf"^  {re.escape(parameter.option)}( |$)", asked, re.MULTILINE), parameter.name
        assert (parameter.option in usage) == parameter.is_needed
        # Each has a type of its own field's.
        assert (parameter.form is Form.JSON) == (
            not any(
                kind in str(fields[parameter.name].type) for kind in ("str'", "str |", "| str", "int", "bool")
            )
            and not any(kind in str(fields[parameter.name].type) for kind in ("Decimal", "datetime", "float"))
        ) or "Mapping" in str(fields[parameter.name].type)


@pytest.mark.parametrize(("command", "declared"), EVERY_OPERATION)
def test_the_unit_of_every_amount_is_told(
    command: str,
    declared: Declared[...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    amounts = [
        each.option
        for each in parameters_of(request_of(declared))
        if each.form in (Form.INTEGER, Form.AMOUNT) and AMOUNT.search(each.name)
    ]
    text = " ".join(shown(capsys, monkeypatch, *command.split()).partition("\nrequest:\n")[2].split())
    for option in amounts:
        told = re.split(r" --[a-z-]+ [A-Z{]", text.partition(f"{option} ")[2], maxsplit=1)[0]
        assert re.search(r"\bunits?\b", told), told


def test_many_requests_at_once_are_bulk_create_alone() -> None:
    from plexypay_async.pay.payment_links import PaymentLinks

    assert isinstance(PaymentLinks.create_many, Bulk)
    assert "create-many" not in operations_of(api_of("pay"), "payment_links")


# ------------------------------------------------------------------------------------------------- imports


def imported_by(*arguments: str) -> set[str]:
    """Return what a command has imported when it ends."""
    program = (
        "import sys\n"
        "from plexypay_async.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return set(ended.stderr.splitlines()[-1].split())


def groups_in(modules: set[str]) -> set[str]:
    packages = tuple(f"{api.package}." for api in APIS)
    rooms = {f"{api.package}.{room}" for api in APIS for room in ("description", "client")}
    return {name for name in modules if name.startswith(packages)} - rooms


def test_help_needs_the_standard_library_alone() -> None:
    modules = imported_by("--help")
    assert "plexypay_async.cli.operations" in modules
    assert not {"attrs", "attr", "cattrs", "aiohttp", "plexypay_async.apis"} & modules


def test_a_command_imports_no_group_that_it_does_not_use() -> None:
    modules = imported_by("bulk-create", "/nowhere/at.csv", "--check")
    assert "plexypay_async.pay.payment_links" in modules
    assert {name.rpartition(".")[2] for name in groups_in(modules)} <= {"payment_links", "links"}


def test_the_help_of_an_operation_opens_no_connection() -> None:
    modules = imported_by("pay", "payment-links", "create", "--help")
    assert "plexypay_async.pay.payment_links" in modules
    assert not {"aiohttp", "cattrs"} & modules


def test_parsers_are_filled_when_they_are_used() -> None:
    parser = build_parser()
    (commands,) = [action for action in parser._actions if isinstance(action.choices, dict)]
    pay = commands.choices["pay"]  # type: ignore[index]
    assert len(pay._actions) == 1
    pay.fill()
    pay.fill()
    assert len(pay._actions) == 2
