"""Both facades through mypy --strict and pyright strict: what they infer, and which mistakes they report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.needs import needs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [file for kind in ("calls", "mistakes", "misspelt") for file in sorted(HERE.glob(f"*_{kind}.py"))]

Reported = dict[tuple[str, int], str]


def run(*command: str) -> str:
    """Run a checker on all files; it reports mistakes with 1, and anything above is its own failure."""
    arguments = [sys.executable, "-m", *command, *map(str, FILES)]
    ran = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return ran.stdout


def mypy() -> Reported:
    output = run("mypy", "--strict", "--no-error-summary", "--no-pretty", "--show-absolute-path")
    lines = re.findall(r"^(.+?):(\d+):(?:\d+:)? error: (.*)$", output, re.MULTILINE)
    return {(Path(file).name, int(line)): message for file, line, message in lines}


def pyright() -> Reported:
    output = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable))
    assert output["summary"]["filesAnalyzed"] == len(FILES)
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1): found["message"]
        for found in output["generalDiagnostics"]
        if found["severity"] in ("error", "warning")
    }


def marked() -> set[tuple[str, int]]:
    return {
        (file.name, number)
        for file in FILES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# E")
    }


def test_the_files_are_all_there() -> None:
    assert [file.name for file in FILES] == [
        "async_calls.py",
        "gate_async_calls.py",
        "gate_sync_calls.py",
        "sync_calls.py",
        "async_mistakes.py",
        "gate_mistakes.py",
        "sync_mistakes.py",
        "async_misspelt.py",
        "sync_misspelt.py",
    ]
    assert len(marked()) > 66
    assert not {line for line in marked() if line[0].endswith("_calls.py")}


@pytest.mark.parametrize(
    "checker", [pytest.param(mypy, marks=needs("mypy")), pytest.param(pyright, marks=needs("pyright"))]
)
def test_mistakes_are_reported_and_nothing_else(checker: Callable[[], Reported]) -> None:
    reported = checker()

    missed = sorted(marked() - set(reported))
    surplus = {line: message for line, message in sorted(reported.items()) if line not in marked()}
    assert (missed, surplus) == ([], {})
