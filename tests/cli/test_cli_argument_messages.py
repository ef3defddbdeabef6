"""What is said of arguments that are empty, and of names at which nothing can be."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async import ConfigurationError, Journal
from plexypay_async.cli import main
from plexypay_async.cli.command import build_parser
from plexypay_async.webhooks.seen import SeenWebhooks
from tests.cli.test_cli_journal import outcomes

if TYPE_CHECKING:
    from .conftest import ServedSandbox

COMMAND = [sys.executable, "-W", "error", "-m", "plexypay_async.cli"]


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency,order_reference\n1,KZT,A\n2,KZT,B\n")
    monkeypatch.chdir(tmp_path)
    return path


# ------------------------------------------------------------------------------------------- empty ones


def texts() -> Iterator[tuple[list[str], str]]:
    """Yield every argument that takes a text: the command line with an empty one, and the argument's name."""

    def of(parser: argparse.ArgumentParser, words: list[str]) -> Iterator[tuple[list[str], str]]:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, command in action.choices.items():
                    yield from of(command, [*words, name])
            elif action.nargs != 0 and action.type is None and action.choices is None:
                name = action.option_strings[-1] if action.option_strings else str(action.metavar)
                given = [f"{name}="] if action.option_strings else [""]
                yield [*words, *given], "/".join(action.option_strings) or name

    return of(build_parser(), [])


def test_every_text_of_every_command_is_among_them() -> None:
    assert {name for _, name in texts()} >= {
        *("FILE", "--results", "--journal", "--base-url", "--fault", "--host", "--token", "--database"),
        *("--api-key", "--admin-token", "--allowed-host"),
        *("--webhook-url", "--webhook-token", "--webhook-host"),
    }


@pytest.mark.parametrize(("words", "name"), [pytest.param(*each, id=" ".join(each[0])) for each in texts()])
def test_an_argument_that_is_empty_is_named(
    words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    told = f"error: argument {name}: it is empty: perhaps a variable of the shell is not set\n"
    assert capsys.readouterr().err.endswith(told)


@pytest.mark.parametrize("kind", [Journal, SeenWebhooks])
def test_so_is_the_path_of_the_library_s_files(kind: type[Journal | SeenWebhooks]) -> None:
    with pytest.raises(ConfigurationError, match=r"the path is empty$"):
        kind("")


# -------------------------------------------------------------------------------------- names of no file


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--results", "no/links.csv"], "cannot write no/links.csv: there is no folder no"),
        (["--results", "no/way/links.jsonl"], "cannot write no/way/links.jsonl: there is no folder no/way"),
        (["--journal", "no/orders.journal"], "journal no/orders.journal: there is no such folder"),
    ],
)
def test_a_folder_that_is_not_there_is_named(
    orders: Path,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    assert main(["bulk-create", str(orders), *arguments]) == 2
    assert capsys.readouterr().err == f"plexypay: {told}\n"
    assert served.count() == 0
    assert os.listdir() == ["orders.csv"]


def test_so_is_that_of_a_sandbox_s_database(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--port", "0", "--database", "no/sandbox.sqlite"]) == 2
    assert capsys.readouterr().err == "plexypay: database no/sandbox.sqlite: there is no such folder\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
@pytest.mark.parametrize("folder", [b".", b"f\xff"])
def test_a_journal_may_have_a_name_that_is_not_utf_8(
    orders: Path, served: ServedSandbox, folder: bytes
) -> None:
    os.makedirs(folder, exist_ok=True)
    name = os.path.join(folder, b"j\xff.journal")
    for outcome in ("created", "journal"):
        command: list[str | bytes] = [*COMMAND, "bulk-create", str(orders), "--journal", name]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert outcomes(orders.with_name("orders.results.csv")) == [outcome] * 2
    with Journal(os.fsdecode(name)) as journal:
        journal.open()
        assert [reference for reference, _, _ in journal.links()] == ["A", "B"]
