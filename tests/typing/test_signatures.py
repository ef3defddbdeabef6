"""The signatures of the calls as checkers see them and editors show them: `extra` comes last."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import AsyncPlexyCheckout, AsyncPlexyGate, AsyncPlexyPay
from plexypay_async.api.index import every_group
from plexypay_async.api.operation import Declared
from plexypay_sync import PlexyCheckout, PlexyGate, PlexyPay
from tests.needs import needs

ROOT = Path(__file__).parents[2]
CLIENTS: tuple[type[Any], ...] = (
    *(AsyncPlexyPay, AsyncPlexyGate, AsyncPlexyCheckout),
    *(PlexyPay, PlexyGate, PlexyCheckout),
)


def calls() -> Iterator[tuple[str, list[str]]]:
    """Yield every call of every client as it is written, with the names of its parameters at run time."""
    for client in CLIENTS:
        for group in every_group(client.api):
            for name, declared in vars(group).items():
                if isinstance(declared, Declared):
                    yield f"{client.__name__.lower()}.{group.group}.{name}", list(declared.parameters)


def program() -> str:
    """Return a module that asks a checker for the type of each call."""
    lines = [
        *(f"from {client.__module__.partition('.')[0]} import {client.__name__}" for client in CLIENTS),
        "def of(",
        *(f"    {client.__name__.lower()}: {client.__name__}," for client in CLIENTS),
        ") -> None:",
        *(f"    reveal_type({call})" for call, _ in calls()),
    ]
    return "\n".join(lines) + "\n"


def pyright(file: Path) -> list[str]:
    # This tree, wherever else the packages are installed.
    settings = {"include": [file.name], "extraPaths": [str(ROOT)]}
    file.with_name("pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    ran = run("pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(file.parent))
    return [
        re.sub(r'^Type of ".+?" is ', "", found["message"])
        for found in json.loads(ran)["generalDiagnostics"]
        if found["severity"] == "information"
    ]


def mypy(file: Path) -> list[str]:
    ran = run("mypy", "--strict", "--no-error-summary", "--no-pretty", str(file))
    return re.findall(r"note: Revealed type is (.*)", ran)


def run(*command: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    "checker", [pytest.param(pyright, marks=needs("pyright")), pytest.param(mypy, marks=needs("mypy"))]
)
def test_extra_is_the_last_parameter_of_every_call(
    checker: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    file = tmp_path / "signatures.py"
    file.write_text(program(), encoding="utf-8")

    revealed = checker(file)

    asked = list(calls())
    assert len(revealed) == len(asked) > 130
    with_extra = 0
    for (call, parameters), shown in zip(asked, revealed, strict=True):
        if "extra" in parameters:
            with_extra += 1
            assert re.findall(r"(\w+): ", shown)[-1] == "extra", f"{call}: {shown}"
            assert parameters[-1] == "extra"
    assert with_extra > 120


def test_the_constructors_of_requests_say_it_last_too() -> None:
    for client in CLIENTS[:3]:
        for group in every_group(client.api):
            for declared in vars(group).values():
                request = getattr(declared, "request", None)
                if request is not None:
                    assert list(inspect.signature(request).parameters)[-1] == "extra"
