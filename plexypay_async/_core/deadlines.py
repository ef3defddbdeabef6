"""When calls must end: one coarse timer per event loop instead of two timers per call.

A timer of its own costs a call several microseconds, which at thousands of calls a second is a tenth of the
throughput. Here a call is an entry in a bucket of 50 ms, and one tick looks at the buckets that are due; a
call therefore ends up to 100 ms late, never early. A call that has heard from the server meanwhile is put
into a later bucket when its old one comes due.

A loop that was busy for seconds finds calls overdue whose answers lie in the kernel, unread. So what is due
is cut some turns of the loop later, when those answers have been taken.

A test may set the clock, as freezegun does. A timer of the frozen time would ring years after the test has
set the clock back, so while `time.monotonic` is replaced a thread wakes the loop as well. A loop whose own
`time` was replaced by hand is not noticed: set back, it ends no call before the next one begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
import types
from collections.abc import Callable
from typing import Any

__all__ = ["Deadlines", "Watch"]

TICK = 0.05
TURNS = 4
"""Turns of the loop between being due and being cut: one reads what has come (under uvloop the timers run
before it), one hands it to the task, and two are for a middleware's sake."""
STEP_BACK = 1.0
"""Seconds that a loop's clock never steps back by itself."""
LEAP = 86_400.0
"""Seconds that no call and no pause of the machine lasts: a clock that was set, such as by freezegun."""


class Watch:
    """One call's deadline, and the silence that it bears: when either is over, its task is cancelled."""

    _expired = False
    _silent = False
    _closed = False
    _heard: float | None = None

    def __init__(self, deadlines: Deadlines, deadline: float, read_timeout: float, now: float) -> None:
        task = asyncio.current_task(deadlines.loop)
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        self._task: asyncio.Task[Any] | None = task
        self._cancelling = task.cancelling()
        self.deadline = deadline
        """By the loop's clock; it moves along where that clock is set."""
        self._read_timeout = read_timeout
        self._deadlines = deadlines
        self._began = now
        due = now + read_timeout
        self._key = deadlines.add(self, due if due < deadline else deadline, now)

    def now(self) -> float:
        """Return the loop's time."""
        return self._deadlines.now()

    @property
    def seconds(self) -> float:
        """How long the call has lasted by now."""
        return self._deadlines.now() - self._began

    @property
    def is_over(self) -> bool:
        """Whether its deadline has cancelled the task."""
        return self._expired

    def heard(self) -> float:
        """Count the silence from now on: the request is written, or a part of its answer has come."""
        now = self._heard = self._deadlines.now()
        return now

    def rest(self) -> None:
        """Count no silence until something is written again."""
        self._heard = None

    def is_due(self, now: float) -> bool:
        """Tell whether its deadline or its silence is over; else it is looked at again later."""
        if self.deadline <= now or self._is_silent(now):
            return True
        self._key = self._deadlines.add(self, self.due(now), now)
        return False

    def cut(self, now: float) -> None:
        """Cancel what lasts too long, unless it has ended or heard something meanwhile."""
        if self._task is None or not self.is_due(now):
            return
        # The silence first: an attempt that it ends may be followed by another.
        if self._is_silent(now):
            self._silent = True
        else:
            self._expired = True
        self._task.cancel()

    def close(self) -> None:
        """Cut the call, whatever it is at: its client is closed."""
        if self._task is not None:
            self._closed = self._silent = True
            self._task.cancel()

    def was_closed(self) -> bool:
        """Tell whether it was the closing of the client, and nobody else, that cancelled the task."""
        task = self._task
        if not self._closed or not self._silent or task is None:
            return False
        self._silent = False
        return task.uncancel() <= self._cancelling

    def _is_silent(self, now: float) -> bool:
        return self._heard is not None and self._heard + self._read_timeout <= min(now, self.deadline)

    def due(self, now: float) -> float:
        """Return the earliest time at which either can be over."""
        return min(self.deadline, (now if self._heard is None else self._heard) + self._read_timeout)

    def move(self, seconds: float) -> None:
        """Go along with a clock that was set."""
        self.deadline += seconds
        self._began += seconds
        if self._heard is not None:
            self._heard += seconds

    def rekey(self, key: int) -> None:
        """Note the bucket that it was moved to."""
        self._key = key

    def end_silence(self) -> bool:
        """Count it no longer; tell whether it was this, and nobody else, that cancelled the task."""
        self._heard = None
        if not self._silent:
            return False
        self._silent = False
        now = self._deadlines.now()
        self._key = self._deadlines.add(self, self.due(now), now)
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
        self.loop = loop
        self.now = loop.time
        self.buckets: dict[int, set[Watch]] = {}
        self._next = 0
        self._tick: asyncio.TimerHandle | None = None
        self._waker: _Waker | None = None

    def watch(self, deadline: float, read_timeout: float = math.inf) -> Watch:
        """Watch the current task until `deadline`, a time of the loop's clock that has not passed.

        `read_timeout` is how many seconds of silence it bears, once it has said that it listens.
        """
        return Watch(self, deadline, read_timeout, self.now())

    def add(self, watch: Watch, due: float, now: float) -> int:
        """Look at a watch when it is due; return its bucket's key."""
        if self._tick is None:
            self._next = int(now / TICK)
            self._arm(now)
        key = int(due / TICK) + 1
        if key < self._next:
            key = self._catch_up(due, now)
        bucket = self.buckets.get(key)
        if bucket is None:
            self.buckets[key] = {watch}
        else:
            bucket.add(watch)
        return key

    def _catch_up(self, due: float, now: float) -> int:
        """Return the bucket for what is due before the next tick; the clock may have been set back."""
        if now < self._next * TICK - STEP_BACK:
            self._move(now - self._next * TICK)
            self._arm(now)
        return max(int(due / TICK) + 1, self._next)

    def _on_tick(self) -> None:
        now = self.now()
        passed = now - self._next * TICK
        if passed > LEAP or passed < -STEP_BACK:
            self._move(passed)
        latest = int(now / TICK)
        # After hours of sleep there are more ticks to catch up on than buckets.
        few = latest + 1 - self._next <= len(self.buckets)
        keys = list(range(self._next, latest + 1)) if few else [key for key in self.buckets if key <= latest]
        # First, so that what is to be looked at again comes into a bucket of the next ticks.
        self._next = latest + 1
        watches = [watch for key in keys for watch in self.buckets.pop(key, ())]
        due = [watch for watch in watches if watch.is_due(now)]
        if due:
            self.loop.call_soon(self._turn, due, TURNS)
        # With no call under way the timer stops: an idle client wakes nobody.
        self._tick = None
        if self.buckets:
            self._arm(now)

    def _arm(self, now: float) -> None:
        """Set the timer for the next tick."""
        if self._tick is not None:
            self._tick.cancel()
        self._tick = self.loop.call_at(now + TICK, self._on_tick)
        if self._waker is None and not _clock_is_real():
            self._waker = _Waker(self.loop, self._look)

    def _look(self) -> None:
        """Tick although the timer is silent, since the clock may have been set; the waker calls this."""
        is_real = _clock_is_real()
        if self._tick is not None:
            self._tick.cancel()
            self._on_tick()
        if self._waker is not None and (is_real or not self.buckets):
            self._waker.ended = True
            self._waker = None

    def _turn(self, due: list[Watch], turns: int) -> None:
        if turns > 1:
            self.loop.call_soon(self._turn, due, turns - 1)
            return
        now = self.now()
        for watch in due:
            watch.cut(now)

    def _move(self, seconds: float) -> None:
        """Go along with a clock that was set, so that no deadline is passed over or comes at once."""
        watches = [watch for bucket in self.buckets.values() for watch in bucket]
        self.buckets.clear()
        now = self.now()
        self._next = int(now / TICK)
        for watch in watches:
            watch.move(seconds)
            key = max(self._next, int(watch.due(now) / TICK) + 1)
            self.buckets.setdefault(key, set()).add(watch)
            watch.rekey(key)

    def close(self) -> None:
        """Cut the calls under way, and stop the timer, which starts again for those that still end."""
        watches = [watch for bucket in self.buckets.values() for watch in bucket]
        self.buckets.clear()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        for watch in watches:
            watch.close()


class _Waker:
    """A thread that wakes an event loop by real time, for as long as its clock is replaced.

    Args:
        loop: The loop.
        look: What the loop is to call.
    """

    ended = False
    """Whether it is not needed any more."""
    _asked = False

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[], None]) -> None:
        self._loop = loop
        self._look = look
        # At exit a thread cannot be started any more.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self._run, name="plexypay clock", daemon=True).start()

    def _run(self) -> None:
        # A lock's wait goes by the system's clock, which nobody replaces.
        never = threading.Event()
        while not (never.wait(TICK) or self.ended or self._loop.is_closed()):
            # A loop at rest gets no second call before it has made the first.
            if not self._asked:
                self._asked = True
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._on_loop)

    def _on_loop(self) -> None:
        self._asked = False
        self._look()


def _clock_is_real() -> bool:
    # Not compared with a function kept here: freezegun replaces that in every module, too.
    return isinstance(time.monotonic, types.BuiltinFunctionType)
