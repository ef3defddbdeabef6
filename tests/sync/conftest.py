"""A sandbox on a thread of its own, clients of it, a silent server, and scripts in their own processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from plexypay_sync import PlexyPay, RetryPolicy
from tests.needs import need

from . import naive_bridge
from .scripts import NAIVE, Script
from .servers import SilentServer, ThreadedSandbox
from .ten_points import POINTS

QUICK = RetryPolicy(base=0.001, cap=0.01)
"""Retries whose pauses a test does not feel."""


Run: TypeAlias = Callable[..., Script]
Check: TypeAlias = Callable[..., str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of the ten points be seen failing."""
    parser.addoption(
        "--naive-bridge",
        action="store_true",
        help="run the tests of the ten points on a naive bridge; each must fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put the naive bridge in the portal's place, if asked for: here, and in the scripts."""
    if config.getoption("--naive-bridge", default=False):
        os.environ[NAIVE] = "1"
        naive_bridge.install()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run on the naive bridge what must fail there, and nothing else."""
    if NAIVE not in os.environ:
        return
    named = {name for names in POINTS.values() for name in names}
    others = [item for item in items if f"{item.path.name}::{item.name.partition('[')[0]}" not in named]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for item in items:
        item.add_marker(pytest.mark.xfail(strict=True, reason="the naive bridge"))


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[ThreadedSandbox]:
    running = ThreadedSandbox()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def sandbox(_running_sandbox: ThreadedSandbox) -> ThreadedSandbox:
    """An empty sandbox without faults."""
    _running_sandbox.reset()
    return _running_sandbox


@pytest.fixture
def plexy(sandbox: ThreadedSandbox) -> Iterator[PlexyPay]:
    """A client of the sandbox whose retries do not pause."""
    with PlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10, retry=QUICK) as client:
        yield client


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def uvloop(request: pytest.FixtureRequest) -> bool:
    """Whether the scripts may import uvloop."""
    if request.param:
        need("uvloop")
    return bool(request.param)


@pytest.fixture
def start() -> Iterator[Run]:
    """Start a script with all warnings as errors, in development mode unless told otherwise."""
    scripts: list[Script] = []

    def begin(
        code: str, *arguments: str, options: tuple[str, ...] = ("-W", "error"), uvloop: bool, **mode: bool
    ) -> Script:
        script = Script(code, *arguments, options=options, uvloop=uvloop, **mode)
        scripts.append(script)
        return script

    yield begin
    for script in scripts:
        script.kill()
        script.process.communicate()


@pytest.fixture
def check(start: Run) -> Check:
    """Run a script to its end: it must exit with 0 and say nothing on stderr. Return what it printed."""

    def run(code: str, *arguments: str, limit: float = 60, **options: Any) -> str:
        status, out, err = start(code, *arguments, **options).end(limit)
        assert (status, err) == (0, ""), f"exit {status}\n{out}\n{err}"
        return out

    return run
