"""A file of seen webhooks, and the clocks by which it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plexypay_async import SeenWebhooks
from plexypay_async.webhooks import seen as module


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.sqlite"


@pytest.fixture
def seen(path: Path) -> SeenWebhooks:
    return SeenWebhooks(path, keep=1000, lease=60)


class Machine:
    """The clocks of a machine, as `seen` reads them."""

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.wall, self.steady, self.boot = time.time(), 1000.0, "first"

    def time(self) -> float:
        return self.wall

    def clock_gettime(self, _: int) -> float:
        return self.steady

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.wall += seconds
        self.steady += seconds

    def start_again(self) -> None:
        self.steady, self.boot = 10.0, self.boot + " again"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    clocks = Machine()
    monkeypatch.setattr(module, "time", clocks)
    monkeypatch.setattr(module, "_boot", lambda: clocks.boot)
    return clocks


@pytest.fixture
def pass_time(machine: Machine) -> Callable[[float], None]:
    """Let so many seconds pass at once on the clocks of `seen`."""
    return machine.pass_time
