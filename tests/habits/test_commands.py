"""The Makefile has the commands that CONTRIBUTING.md, the README, CI and the hooks name or run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needs import without

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def called(text: str) -> set[str]:
    """Return the targets that a text calls, as a command of its own or between backticks."""
    return set(re.findall(r"(?:^|`|entry: )make ([a-z]+)", text, re.MULTILINE))


def made_of(*targets: str) -> list[str]:
    """Return the commands that `make` would run."""
    if shutil.which("make") is None:
        without("make")
    ran = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *targets],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout.splitlines()


def test_the_guide_tells_of_every_target_and_of_no_other() -> None:
    assert called(GUIDE) == TARGETS


@pytest.mark.parametrize("file", [".pre-commit-config.yaml", ".ci/run"])
def test_what_is_run_by_itself_is_a_target(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    found = called(text) | set(re.findall(r"\bmake ([a-z]+)$", text, re.MULTILINE))

    assert found
    assert found <= TARGETS


def test_every_target_is_a_command_and_no_file() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    assert set(phony.split()) == TARGETS
    for target in sorted(TARGETS):
        assert made_of(target) != []


def test_the_readme_sets_up_and_tests_as_the_makefile_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"\n{' && '.join(made_of('setup', 'test'))}\n" in readme


def test_every_file_and_folder_that_the_guide_names_is_there() -> None:
    spans = re.findall(r"`([^`\n]+)`|\]\(([^)]+)\)|^\.venv/bin/python -m pytest (\S+)", GUIDE, re.MULTILINE)
    named = {
        name for span in spans for name in span if re.fullmatch(r"(plexypay_async|tests|docs)/[\w/.]+", name)
    }

    assert len(named) > 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_single_file_runs_in_one_process(pytestconfig: pytest.Config) -> None:
    options: list[Any] = list(pytestconfig.getini("addopts"))

    assert not [option for option in options if option.startswith(("-n", "--numprocesses", "--dist"))]
