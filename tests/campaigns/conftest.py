"""What the campaigns share."""

from __future__ import annotations

import pytest

from .sending_clock import SendingClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SendingClock:
    """Return a clock of all that is sent, which runs."""
    started = SendingClock()
    started.start(monkeypatch)
    return started
