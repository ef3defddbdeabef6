"""The examples of docs/command.md, run by a shell against a sandbox, and its tables."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.apis import APIS
from plexypay_async.cli.exits import Exit
from tests.docs.blocks import run_by

if TYPE_CHECKING:
    from .conftest import ServedSandbox

GUIDE = (Path(__file__).parents[2] / "docs" / "command.md").read_text(encoding="utf-8")
BLOCKS = run_by(__file__)
EXPECTED = [
    # The state of each document that a block prints; "id" where it has none.
    ["active"],
    ["active", "id"],
    ["active", "active"],
    ["PROCESSING"],
    [],
    [],
]
OTHERWISE = ("not yet", "nobody has paid ORD-1")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


def shell(block: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.quote(sys.executable)} -W error -m plexypay_async.cli"
    return subprocess.run(
        ["sh", "-c", f'set -e\nplexypay() {{ {command} "$@"; }}\n{block}'],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_its_examples_work(served: ServedSandbox) -> None:
    assert len(BLOCKS) == len(EXPECTED)
    for block, expected in zip(BLOCKS, EXPECTED, strict=True):
        ran = shell(block)
        assert ran.returncode == 0, ran.stderr
        assert "Traceback" not in ran.stderr
        lines = [line for line in ran.stdout.splitlines() if line not in OTHERWISE]
        found = [json.loads(line) for line in lines]
        assert [each.get("status", "id") for each in found] == expected, block
    assert served.references() == ["ORD-1"]


def test_it_tells_the_environment_of_every_api() -> None:
    rows = re.findall(r"^\| `plexypay (\w+)` \| (.+) \|$", GUIDE, re.MULTILINE)
    assert [name for name, _ in rows] == [api.name for api in APIS]
    for (_, told), api in zip(rows, APIS, strict=True):
        variables = [api.key_variable, api.base_url_variable, *(each.variable for each in api.parameters)]
        assert re.findall(r"`(PLEXYPAY_\w+)`", told) == variables
        assert ("else the vendor's" in told) == (api.base_url is not None)


def test_it_tells_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d) \| ", GUIDE, re.MULTILINE)
    assert [int(code) for code in codes] == [code.value for code in Exit]
