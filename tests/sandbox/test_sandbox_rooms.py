"""The packages of the sandbox import each other one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import plexypay_async.sandbox

ROOT = Path(plexypay_async.sandbox.__file__).parent
MAY_IMPORT: dict[str, set[str]] = {
    "state": set(),
    "deliveries": {"state"},
    "handlers": {"state"},
    "pages": {"state", "deliveries"},
}
# Modules beside the packages that put all together.
ON_TOP = {"admin", "front", "running", "server"}


def imported(path: Path) -> set[str]:
    """Return which packages and modules beside its own package a module imports, for its types too."""
    return {
        (node.module or "").partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 2
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    modules = [path for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert modules
    for path in modules:
        others = imported(path) & (MAY_IMPORT.keys() | ON_TOP)
        assert others <= MAY_IMPORT[package], path.name


def test_every_package_has_its_place() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == MAY_IMPORT.keys()
