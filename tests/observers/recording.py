"""An observer that keeps what it is told."""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from typing import Any

from plexypay_async import (
    ObservedAttempt,
    ObservedCall,
    ObservedJob,
    ObservedPause,
    ObservedRow,
    ObservedWebhook,
    Observer,
)

CALLER: ContextVar[str] = ContextVar("caller", default="nobody")


class Recording(Observer):
    """Keeps all that it is told, in order, and whose context it was told in."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.callers: set[str] = set()

    def _note(self, event: str, subject: Any) -> None:
        self.told.append((event, subject))
        self.callers.add(CALLER.get())

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.told]

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.events)

    def of(self, event: str) -> list[Any]:
        return [subject for told, subject in self.told if told == event]

    def call_began(self, call: ObservedCall) -> None:
        assert call.seconds is None
        self._note("call_began", call)

    def attempt_began(self, attempt: ObservedAttempt) -> None:
        assert attempt.seconds is None
        self._note("attempt_began", attempt)

    def attempt_ended(self, attempt: ObservedAttempt) -> None:
        assert attempt.seconds is not None
        self._note("attempt_ended", attempt)

    def call_paused(self, pause: ObservedPause) -> None:
        self._note("call_paused", pause)

    def call_ended(self, call: ObservedCall) -> None:
        assert call.seconds is not None
        self._note("call_ended", call)

    def job_began(self, job: ObservedJob) -> None:
        self._note("job_began", job)

    def job_changed(self, job: ObservedJob) -> None:
        self._note("job_changed", job)

    def row_failed(self, row: ObservedRow) -> None:
        self._note("row_failed", row)

    def job_ended(self, job: ObservedJob) -> None:
        self._note("job_ended", job)

    def webhook_received(self, webhook: ObservedWebhook) -> None:
        self._note("webhook_received", webhook)


class Broken(Observer):
    """Raises whatever it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = RuntimeError("an observer that is broken") if error is None else error


def _failing(event: str) -> Any:
    def fail(observer: Broken, *_: object) -> None:
        raise observer.error

    fail.__name__ = event
    return fail


for _event in [name for name in vars(Observer) if not name.startswith("_")]:
    setattr(Broken, _event, _failing(_event))
