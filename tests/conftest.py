"""What all tests share: asyncio's debug mode on CI, what a test needs, a steady clock, and mocked HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import selectors
import time
from collections.abc import Callable

import pytest
from aioresponses import aioresponses
from hypothesis import HealthCheck, settings

from tests.needs import pytest_runtest_setup as pytest_runtest_setup


def pytest_configure(config: pytest.Config) -> None:
    """Run every test's event loop in debug mode on CI, where a blocked loop or a lost coroutine must show."""
    if os.environ.get("CI"):
        config.option.asyncio_debug = True
    # How long an example takes says how busy the machine is.
    settings.register_profile(
        "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock does not count how long the machine took.

    A turn of the loop counts as a millisecond at the most, and a wait as what was to be waited at the most.
    So client and server, which share a test's loop, have as much time between them on a machine that is slow
    or stalls as on any other, and a time-out fires where nothing happens, not where nothing could.
    """

    TURN = 0.001

    def __init__(self) -> None:
        self._now = self._turned = time.monotonic()
        super().__init__(_SteadySelector(self.waited))

    def time(self) -> float:
        """Return the loop's time: never more than a turn after the last wait."""
        return self._now + min(time.monotonic() - self._turned, self.TURN)

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now += seconds

    def waited(self, began: float, most: float) -> None:
        """Count what was waited since `began`, a monotonic time."""
        turn, now = min(began - self._turned, self.TURN), time.monotonic()
        self._now += turn + min(now - began, most)
        self._turned = now


class _SteadySelector(selectors.DefaultSelector):
    def __init__(self, waited: Callable[[float, float], None]) -> None:
        super().__init__()
        self._waited = waited

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        events = super().select(timeout)
        # What is ready may have been ready all the time.
        self._waited(began, SteadyLoop.TURN if events or timeout is None else max(0.0, timeout))
        return events


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on a steady loop, and campaigns, which measure, on the usual one."""
    if item.get_closest_marker("campaign") is not None:
        return {"usual": asyncio.new_event_loop}
    return {"steady": SteadyLoop}


@pytest.fixture
def without_slow_steps() -> Callable[[str], str]:
    """Take asyncio's remarks on slow steps, which a busy machine makes, out of what a program said."""
    return lambda text: re.sub(r"^Executing <.* took [\d.]+ seconds\n", "", text, flags=re.MULTILINE)


@pytest.fixture
def skip_time() -> Callable[[float], None]:
    """Let so many seconds pass at once on the running loop."""

    def skip(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteadyLoop)
        loop.skip(seconds)

    return skip


@pytest.fixture
def mocked_http(plexypay_aioresponses: aioresponses) -> aioresponses:
    """Answer aiohttp's requests without a socket; a request that nothing was set up for fails to connect."""
    return plexypay_aioresponses
