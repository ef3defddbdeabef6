"""When calls must end: one coarse timer per event loop instead of one timer per call.

A timer of its own costs a call several microseconds, which at thousands of calls a second is a tenth of the
throughput. Here a deadline is an entry in a bucket of 50 ms, and one tick looks at the buckets that are due;
a call therefore ends up to 100 ms late, never early.
"""

from __future__ import annotations

import asyncio

__all__ = ["Deadlines", "Watch"]

TICK = 0.05


class Watch:
    """One call's deadline: when it passes, the call's task is cancelled."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_key", "_task")

    def __init__(self, deadlines: Deadlines, key: int) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self._deadlines = deadlines
        self._key = key

    def expire(self) -> None:
        """Cut the call."""
        self._expired = True
        self._task.cancel()

    def done(self) -> bool:
        """End the watch; tell whether it was this deadline, and nobody else, that cancelled the task."""
        if not self._expired:
            self._deadlines.forget(self, self._key)
            return False
        self._expired = False
        return self._task.uncancel() <= self._cancelling


class Deadlines:
    """The deadlines of all calls on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, set[Watch]] = {}
        self._due = 0
        self._tick: asyncio.TimerHandle | None = None

    def watch(self, deadline: float) -> Watch:
        """Watch the current task until `deadline`, a time of the loop's clock that has not passed."""
        if self._tick is None:
            now = self._loop.time()
            self._due = int(now / TICK)
            self._tick = self._loop.call_at(now + TICK, self._on_tick)
        key = int(deadline / TICK) + 1
        watch = Watch(self, key)
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = {watch}
        else:
            bucket.add(watch)
        return watch

    def forget(self, watch: Watch, key: int) -> None:
        """Drop a watch whose call has ended in time."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.discard(watch)
            if not bucket:
                del self._buckets[key]

    def _on_tick(self) -> None:
        now = self._loop.time()
        latest = int(now / TICK)
        for key in range(self._due, latest + 1):
            for watch in self._buckets.pop(key, ()):
                watch.expire()
        self._due = latest + 1
        # With no call under way the timer stops: an idle client wakes nobody.
        self._tick = self._loop.call_at(now + TICK, self._on_tick) if self._buckets else None

    def close(self) -> None:
        """Stop the timer; no call is in flight any more."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._buckets.clear()
