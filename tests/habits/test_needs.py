"""A test that lacks something is skipped with the reason, and fails where everything must be installed."""

from __future__ import annotations

import pytest

from tests.needs import EVERYTHING, need, needs, pytest_runtest_setup, without


@pytest.fixture(params=[True, False], ids=["skipped", "failed"])
def lenient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a test may be skipped here."""
    if request.param:
        monkeypatch.delenv(EVERYTHING, raising=False)
    else:
        monkeypatch.setenv(EVERYTHING, "1")
    return bool(request.param)


def ended(lenient: bool) -> type[BaseException]:
    return pytest.skip.Exception if lenient else pytest.fail.Exception


def test_modules_that_are_not_installed_are_named(lenient: bool) -> None:
    with pytest.raises(ended(lenient), match=r"^needs no_such, no_such\.module: pip install -e '\.\[dev\]'"):
        need("pytest", "no_such", "no_such.module")


def test_something_else_that_is_missing_is_named(lenient: bool) -> None:
    with pytest.raises(ended(lenient), match=r"^needs a browser"):
        without("a browser")


def test_what_is_installed_is_enough(lenient: bool) -> None:
    need("pytest", "_pytest.outcomes")


def test_a_marked_test_is_looked_at_before_it_runs(request: pytest.FixtureRequest, lenient: bool) -> None:
    request.node.add_marker(needs("pytest"))
    pytest_runtest_setup(request.node)
    request.node.add_marker(needs("no_such"))

    with pytest.raises(ended(lenient), match=r"^needs no_such:"):
        pytest_runtest_setup(request.node)


def test_that_look_is_a_hook_of_all_tests(pytestconfig: pytest.Config) -> None:
    hooks = pytestconfig.hook.pytest_runtest_setup.get_hookimpls()

    assert pytest_runtest_setup in [hook.function for hook in hooks]
