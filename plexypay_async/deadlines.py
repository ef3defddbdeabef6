"""When calls must end: one coarse timer per event loop instead of two timers per call.

A timer of its own costs a call several microseconds, which at thousands of calls a second is a tenth of the
throughput. Here a call is an entry in a bucket of 50 ms, and one tick looks at the buckets that are due; a
call therefore ends up to 100 ms late, never early. What a server's silence moves is not the entry, which is
looked at again when it comes due.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

__all__ = ["Deadlines", "Watch"]

TICK = 0.05


class Watch:
    """One call's deadline, and the silence that it bears: when either is over, its task is cancelled."""

    __slots__ = (
        "_cancelling",
        "_deadline",
        "_deadlines",
        "_expired",
        "_heard",
        "_key",
        "_patience",
        "_silent",
        "_task",
    )

    def __init__(self, deadlines: Deadlines, deadline: float, patience: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        self._task: asyncio.Task[Any] | None = task
        self._cancelling = task.cancelling()
        self._expired = False
        self._silent = False
        self._heard: float | None = None
        self._deadline = deadline
        self._patience = patience
        self._deadlines = deadlines
        due = deadlines.now() + patience
        self._key = deadlines.add(self, due if due < deadline else deadline)

    def heard(self) -> None:
        """Count the silence from now on: the request is written, or a part of its answer has come."""
        self._heard = self._deadlines.now()

    def come_due(self, now: float) -> None:
        """Cut what lasts too long, or be looked at again."""
        silent = self._heard is not None and self._heard + self._patience <= min(now, self._deadline)
        if silent:
            self._silent = True
        elif self._deadline <= now:
            self._expired = True
        else:
            self._key = self._deadlines.add(self, self._due(now))
            return
        if self._task is not None:
            self._task.cancel()

    def _due(self, now: float) -> float:
        """Return the earliest time at which either can be over."""
        return min(self._deadline, (now if self._heard is None else self._heard) + self._patience)

    def end_silence(self) -> bool:
        """Count it no longer; tell whether it was this, and nobody else, that cancelled the task."""
        self._heard = None
        if not self._silent:
            return False
        self._silent = False
        self._key = self._deadlines.add(self, self._due(self._deadlines.now()))
        return self._task is not None and self._task.uncancel() <= self._cancelling

    def done(self) -> bool:
        """End the watch; tell whether it was this deadline, and nobody else, that cancelled the task."""
        # A call is dropped in the thread that made it, where no task must end: see the portal's jobs.
        task, self._task = self._task, None
        if not self._expired or task is None:
            bucket = self._deadlines.buckets.get(self._key)
            if bucket is not None:
                bucket.discard(self)
                if not bucket:
                    del self._deadlines.buckets[self._key]
            return False
        self._expired = False
        return task.uncancel() <= self._cancelling


class Deadlines:
    """The deadlines of all calls on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time
        self.buckets: dict[int, set[Watch]] = {}
        self._next = 0
        self._tick: asyncio.TimerHandle | None = None

    def watch(self, deadline: float, patience: float = math.inf) -> Watch:
        """Watch the current task until `deadline`, a time of the loop's clock that has not passed.

        `patience` is how many seconds of silence it bears, once it has said that it listens.
        """
        return Watch(self, deadline, patience)

    def add(self, watch: Watch, due: float) -> int:
        """Look at a watch when it is due; return its bucket's key."""
        if self._tick is None:
            now = self.now()
            self._next = int(now / TICK)
            self._tick = self._loop.call_at(now + TICK, self._on_tick)
        key = int(due / TICK) + 1
        if key < self._next:
            key = self._next
        bucket = self.buckets.get(key)
        if bucket is None:
            self.buckets[key] = {watch}
        else:
            bucket.add(watch)
        return key

    def _on_tick(self) -> None:
        now = self.now()
        latest = int(now / TICK)
        due = range(self._next, latest + 1)
        # First, so that what is to be looked at again comes into a bucket of the next ticks.
        self._next = latest + 1
        for key in due:
            for watch in self.buckets.pop(key, ()):
                watch.come_due(now)
        # With no call under way the timer stops: an idle client wakes nobody.
        self._tick = self._loop.call_at(now + TICK, self._on_tick) if self.buckets else None

    def close(self) -> None:
        """Stop the timer; no call is in flight any more."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self.buckets.clear()
