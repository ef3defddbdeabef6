"""A user's tests, run by a pytest of their own, with the plugin as it is installed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

import pytest

Run: TypeAlias = Callable[..., pytest.RunResult]

OTHERS = ("anyio", "asyncio", "hypothesispytest", "xdist")
"""The other plugins that are installed here."""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, without_slow_steps: Callable[[str], str]
) -> Run:
    """Run test files, given by name, with these plugins alone, and with warnings as errors.

    Nothing may be said on stderr, at exit too.
    """
    monkeypatch.setenv("PYTHONWARNINGS", "always::ResourceWarning")
    # The developer's own, which the tests must neither need nor reach.
    monkeypatch.setenv("PLEXYPAY_API_KEY", "live-key")
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "https://plexypay.invalid")

    def start(*options: str, plugins: Collection[str] = (), **files: str) -> pytest.RunResult:
        pytester.makepyfile(**files)
        without = [option for name in OTHERS if name not in plugins for option in ("-p", f"no:{name}")]
        if "asyncio" in plugins:
            # It warns until it is told.
            without += ["-o", "asyncio_default_fixture_loop_scope=function"]
        result = pytester.runpytest_subprocess("-W", "error", *without, *options, timeout=300)
        assert without_slow_steps(result.stderr.str()) == ""
        return result

    return start
