"""A local Plexy Pay for tests and trials, over real HTTP, without an account."""

from __future__ import annotations

from .clock import Clock
from .faults import Cut, Fault, Faults, Work
from .server import Sandbox
from .traffic import ArrivedRequest, Traffic

__all__ = ["ArrivedRequest", "Clock", "Cut", "Fault", "Faults", "Sandbox", "Traffic", "Work"]
