"""Tests of what only the full development environment has: elsewhere they are skipped, and on CI they fail.

A test says which modules it needs by ``@needs("celery")``, a fixture by calling `need`. CI installs
everything and sets the variable ``TESTS_NEED_EVERYTHING``, so that no test is left out there because
something is missing.
"""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest

EVERYTHING = "TESTS_NEED_EVERYTHING"


def needs(*modules: str) -> pytest.MarkDecorator:
    """Mark a test that cannot run without these modules."""
    return pytest.mark.needs(*modules)


def need(*modules: str) -> None:
    """Skip the running test if one of these modules is not installed; where everything must be, fail it."""
    if lacking := [name for name in modules if not _installed(name)]:
        without(f"{', '.join(lacking)}: pip install -e '.[dev]'")


def without(what: str) -> NoReturn:
    """Skip the running test, which needs `what`; where everything must be installed, fail it."""
    if everything_is_needed():
        pytest.fail(f"needs {what} (not skipped, because {EVERYTHING} is set)", pytrace=False)
    pytest.skip(f"needs {what}")


def everything_is_needed() -> bool:
    """Return whether a test that lacks something must fail, as on CI."""
    return bool(os.environ.get(EVERYTHING))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the modules that a test is marked with; `tests/conftest.py` makes this a hook of all tests."""
    need(*(name for mark in item.iter_markers("needs") for name in mark.args))


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that the module is in
        return False
