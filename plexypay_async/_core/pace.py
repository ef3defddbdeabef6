"""The law by which a bulk job finds how many requests a server takes at once.

It asks one question before it slows down: does failing depend on how many requests are under way? Faults that
come by chance hit as large a share of ten requests as of a hundred, and to ask less helps nobody. A server at
its capacity fails what is above it, and nothing below.

So the job goes in phases, each of about a round trip or more, and every answer counts for the phase in which
its request was sent:

- CRUISE, at the level that was found. Its answers give the share of faults that is common on this server.
- UP, a step above the level: larger steps from one to the next, as long as no more fails than is common and
  latency does not grow with the number under way. The first phases of a job are such steps.
- DOWN, a little below the level, for a moment, where something fails or answers got slower: the baseline.
  Where less fails down there, or answers come sooner, that is no chance, and the job stays below.
- CHECK, once more fails than is common. Each request that fails takes its place with it, so that those remain
  that the server has accepted: its capacity, found within a round trip, whether it refuses at once or slowly.
  Where a lower level fails as much as the higher one did, it was chance: the level is as before, and the new
  share is what is common.

The evidence is the logarithm of a likelihood ratio, added up answer by answer: how much better a failure is
explained by more failing than by what is common, and a success worse. Nothing here waits or reads a clock:
the times are given, in seconds. `benchmarks.pace` runs this very class against servers of many kinds.
"""

from __future__ import annotations

import enum
import math

__all__ = ["Pace", "Sign"]

FIRST = 10
"""Requests at once in the beginning."""
LARGEST_STEP, SMALLEST_STEP, STEP_GROWTH = 1.5, 0.2, 3.0
"""Steps up as shares of the level. A larger excess shows sooner; a smaller one wastes less."""
STEP_IN_NOISE = 0.5
"""By so much of the common share of failures a step is larger: in noise, small differences do not show."""
CRUISE_ROUNDS, CRUISE_ANSWERS, LONGEST_CRUISE = 8, 140, 28
"""How long a level is kept before the next step: so many round trips, or answers if that is longer, and the
most round trips that these may take."""
DEPTH = 0.85
"""Of the level, in DOWN."""
LEAST, ENOUGH = 14, 100
"""DOWN and CHECK end with as many answers as the limit allows at once, within these bounds."""
RARE, OFTEN_FROM = 3, 0.08
"""Every third cycle has a DOWN; with this share of failures, every one."""

COMMON_AT_LEAST, COMMON_AT_MOST = 0.015, 0.4
"""Bounds on the share of failures that is taken for common: of what fails more often, less is asked."""
MEMORY = 600
"""Answers that the common share is remembered from, and four round trips of them."""
EXCESS = 0.2
"""An alarm is raised as for a server that fails so much more of what it is sent."""
ALARM, UP_FAILED, UP_PASSED = 3.5, 3.0, -3.5
"""Logarithms of likelihood ratios. The first is higher for a high level, which has more answers to err on."""
UP_ROUNDS = 8
"""A step that is not decided after so many round trips has passed: it makes no difference that matters."""
BASELINE_GATE = 4.5
"""Twice the logarithm of a likelihood ratio from which DOWN has failed less: about one error in thirty."""
WORTH, WASTED = 0.6, 0.06
"""A level stays where so much of what it adds succeeds, as long as no larger share of it fails."""
ERRORS = 0.7
"""The common share is at most what fails in DOWN, and so many standard errors more."""
IN_A_ROW = 0.35
"""What a failure weighs that comes at once, right after another one: a request in excess that is refused at
once is followed by the next, and the next, so that several tell no more than that there is one."""
DRAINED = 2.5
"""The evidence in a CHECK after a step up from which each failure goes on to take its place with it."""
STEEP = 0.3
"""So much more than the common share fails where a server takes far less than before; else it takes a little
less, or is at its capacity now and then, as one is whose requests and answers are long on their way."""
DEEPER = 0.6
"""Of the level before: where failing goes on after the first cut, a level that should be free of it."""

QUEUE = 1.25
QUEUED, CONFIRMED = 3.0, 2
"""Latency above the lowest that was seen, from which the server is asked whether it queues; how many must be
in the queue by that; and how often in a row it must say so, for latency has weather of its own."""
OWN = 0.005
"""Seconds that a busy client itself may add to an answer: no queue of the server's."""
ELASTIC, QUEUED_GROWTH, INELASTIC = 0.5, 0.75, 0.25
"""Growth of latency per growth of the level: behind a queue it is 1, without one 0. From the first on, a step
up is taken back. From the second on, the level goes down, which costs little: most only waited. Up to the
third, the server has become slower whatever it is asked."""


class Sign(enum.Enum):
    """What the end of a request tells of the server."""

    FINE = enum.auto()
    """It was answered, whatever was said."""
    TROUBLE = enum.auto()
    """Code 1, or silence: congestion, or chance."""
    SLOWER = enum.auto()
    """429, or `Retry-After`: the server's own word, which is no chance."""
    NOTHING = enum.auto()
    """It did not get so far."""


class Phase(enum.Enum):
    """What a part of a job is there to find out."""

    CRUISE = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    CHECK = enum.auto()


_CRUISE, _UP, _DOWN, _CHECK = Phase


class _Count:
    """Answers, and how many of them were failures."""

    __slots__ = ("answers", "failures", "latency")

    def __init__(self, answers: float = 0.0, failures: float = 0.0) -> None:
        self.answers = answers
        self.failures = failures
        self.latency = 0.0
        """Seconds of all that were no failures together."""

    @property
    def share(self) -> float:
        return self.failures / self.answers if self.answers else 0.0

    @property
    def mean_latency(self) -> float:
        """Seconds, 0.0 where nothing has succeeded."""
        good = self.answers - self.failures
        return self.latency / good if good > 0 else 0.0

    def add(self, other: _Count, *, keep: float = 1.0) -> None:
        """Add to what is kept of these."""
        self.answers = self.answers * keep + other.answers
        self.failures = self.failures * keep + other.failures

    def likelihood(self, share: float) -> float:
        """Return the logarithm of how likely so many failures are where this share fails."""
        bounded = min(max(share, 1e-9), 1 - 1e-9)
        good = self.answers - self.failures
        return self.failures * math.log(bounded) + good * math.log(1 - bounded)


def _evidence_of_more(higher: _Count, lower: _Count) -> float:
    """Return twice the log-likelihood ratio by which the first fails more; 0.0 where it does not."""
    if not lower.answers or higher.share <= lower.share:
        return 0.0
    both = (higher.failures + lower.failures) / (higher.answers + lower.answers)
    apart = higher.likelihood(higher.share) + lower.likelihood(lower.share)
    return 2 * (apart - higher.likelihood(both) - lower.likelihood(both))


class _Suspicion:
    """What an alarm has begun: the level before it, and what failed there and further down."""

    __slots__ = ("before", "higher", "higher_at", "lower", "lower_at")

    def __init__(self, before: int, at: float, higher: _Count) -> None:
        self.before = before
        self.higher, self.higher_at = higher, at
        self.lower, self.lower_at = _Count(), 0.0

    def note(self, level: float, count: _Count) -> None:
        """Note what failed at a level."""
        if level <= 0.75 * self.before and self.higher.answers:
            answers = self.lower.answers + count.answers
            self.lower_at = (self.lower_at * self.lower.answers + level * count.answers) / answers
            self.lower.add(count)
        else:
            self.higher.add(count)

    @property
    def both(self) -> _Count:
        """All that was noted."""
        both = _Count(self.lower.answers, self.lower.failures)
        both.add(self.higher)
        return both

    def is_chance(self, common: float) -> bool:
        """Tell whether one share everywhere explains it better than a capacity does."""
        higher, lower, both = self.higher, self.lower, self.both
        if lower.answers < LEAST or not higher.answers or both.share > 0.5:
            return False
        # What a capacity that leaves the higher level its successes would fail at the lower one.
        left = 1 - (1 - higher.share) * self.higher_at / self.lower_at
        capacity = higher.likelihood(higher.share) + lower.likelihood(max(left, common, COMMON_AT_LEAST))
        return both.likelihood(both.share) > capacity + 1


class Pace:
    """How many requests may be under way at once, as far as a server has shown.

    Args:
        ceiling: The most that are allowed.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_ceiling",
        "_checked_up",
        "_common",
        "_compared_at",
        "_count",
        "_cruise",
        "_down",
        "_elastic",
        "_evidence",
        "_failed_last",
        "_floor",
        "_full",
        "_known",
        "_last_latency",
        "_level",
        "_lowest_latency",
        "_of_failure",
        "_of_success",
        "_peak",
        "_phase",
        "_phase_at",
        "_proved",
        "_recent",
        "_room",
        "_run_from",
        "_since_down",
        "_step",
        "_step_before",
        "_suspicion",
        "_told_at",
        "_top",
        "_trip",
        "_until",
        "limit",
        "reason",
    )

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._level = self.limit = min(FIRST, ceiling)
        self.reason = f"begins with {self.limit} at once"
        """Why the level is what it is, in words."""
        self._step = self._step_before = LARGEST_STEP
        self._common = 0.0
        self._known = 0.0
        """Answers that the common share is from."""
        self._trip = 0.0
        """Seconds that an answer takes."""
        self._lowest_latency = self._last_latency = 0.0
        self._cruise, self._down = _Count(), _Count()
        """What failed at this level and below it, over several cycles."""
        self._compared_at = self._level
        self._proved = self._level
        """The level at which a CRUISE has last come to its end."""
        self._since_down = 0
        self._elastic = 0
        """Times in a row that answers came sooner below the level, as from behind a queue."""
        self._suspicion: _Suspicion | None = None
        self._checked_up = False
        """Whether the alarm came in UP."""
        self._recent = _Count()
        self._room = float(self.limit)
        self._floor = self._peak = self.limit
        self._alarm_at = self._told_at = -math.inf
        self._top = self.limit
        self._count = _Count()
        self._failed_last = -1.0
        """The number of the latest answer in the phase that was a failure."""
        self._full = 0
        """Of the phase's answers, those that came while the limit was used up."""
        self._evidence = self._alarm = self._of_failure = self._of_success = 0.0
        self._run_from = (0.0, 0.0)
        """Answers and failures of the phase when the evidence was last at 0."""
        self._begin(_CRUISE, self.limit, -math.inf, until=self.limit)

    @property
    def level(self) -> int:
        """What has been found so far, without the steps up and down that try what is around it."""
        return self.limit if self._phase is _CHECK else self._level

    # ------------------------------------------------------------------------------------ answer by answer

    def answered(self, sent: float, now: float, failed: bool, full: bool) -> None:
        """Learn from an answer.

        Args:
            sent: When its request was sent, in seconds of the caller's clock.
            now: The time, of the same clock.
            failed: Whether it was code 1, or silence.
            full: Whether as many were under way as the limit allows.
        """
        phase = self._phase
        if phase is _CHECK:
            self._drain(sent, now, failed=failed)
        if sent < self._phase_at:
            return
        count = self._count
        count.answers += 1
        if full:
            self._full += 1
        if failed:
            count.failures += 1
            in_a_row = count.answers == self._failed_last + 1 and now - sent < self._trip / 2
            self._failed_last = count.answers
            self._evidence += self._of_failure * IN_A_ROW if in_a_row else self._of_failure
            if self._evidence >= self._alarm:
                self._on_alarm(now)
                return
        else:
            count.latency += now - sent
            self._evidence += self._of_success
        if phase is _UP:
            if count.answers >= self._until and (
                self._evidence <= UP_PASSED or count.answers > UP_ROUNDS * (self.limit + min(self.limit, 8))
            ):
                self._on_passed(now)
            return
        if self._evidence < 0:
            self._evidence = 0.0
            self._run_from = (count.answers, count.failures)
        if count.answers >= self._until:
            if phase is _CRUISE:
                self._on_cruised(now)
            elif phase is _DOWN:
                self._on_compared(now)
            else:
                self._on_checked(now)

    def told_to_slow_down(self, sent: float, now: float) -> None:
        """Halve the level, once a round trip: the server has said that it is asked for too much."""
        if sent < self._told_at:
            return
        self._told_at = now
        self._suspicion = None
        self._step = SMALLEST_STEP
        self._settle(self.limit // 2, now, "the server said to slow down (429, Retry-After)")

    def _drain(self, sent: float, now: float, *, failed: bool) -> None:
        """Let a request that failed above the capacity take its place with it."""
        recent = self._recent
        recent.answers = recent.answers * 0.94 + 1
        recent.failures = recent.failures * 0.94 + failed
        if not failed:
            return
        # Those that are refused at once were sent after the alarm, too.
        in_time = sent < self._phase_at or now < self._alarm_at + 0.9 * self._trip
        if in_time or (self._checked_up and self._evidence >= DRAINED):
            by_excess = 1 - self._common / recent.share
            self._room = min(self._room - by_excess, self._peak)
            limit = max(self._floor, min(self._top, int(self._room)), 1)
            if limit < self.limit and not in_time:
                # What has failed so far has had its answer.
                self._evidence = 0.0
            self.limit = limit

    # --------------------------------------------------------------------------------------------- phases

    def _begin(self, phase: Phase, limit: float, now: float, *, until: float) -> None:
        """Begin a phase, which ends after so many answers to what is sent from now on."""
        self._phase, self._phase_at, self._until = phase, now, until
        self.limit = max(1, min(self._ceiling, int(limit)))
        self._count = _Count()
        self._failed_last = -1.0
        self._full = 0
        self._evidence = 0.0
        self._run_from = (0.0, 0.0)
        common = min(0.9, max(COMMON_AT_LEAST, self._common + 1 / (self._known + 30)))
        if phase is _UP:
            # As if the capacity were the level itself.
            excess, self._alarm = min(0.25, 1 - self._level / self.limit), UP_FAILED
        else:
            excess, self._alarm = EXCESS, ALARM + math.log(self.limit)
            if self.limit == 1 and phase is not _CHECK:
                # Nothing is below it to compare with.
                self._alarm = math.inf
        more = common + (1 - common) * excess
        self._of_failure = math.log(more / common)
        self._of_success = math.log((1 - more) / (1 - common))

    def _settle(self, level: float, now: float, reason: str, *, rounds: float = CRUISE_ROUNDS) -> None:
        """Stay at a level for a while."""
        self._note_trip()
        self._level = max(1, min(self._ceiling, int(level)))
        self.reason = reason
        answers = min(CRUISE_ANSWERS, LONGEST_CRUISE * self._level) if rounds == CRUISE_ROUNDS else LEAST
        if not 0.8 * self._compared_at <= self._level <= 1.25 * self._compared_at:
            self._compare_anew()
        self._begin(_CRUISE, self._level, now, until=max(rounds * self._level, answers))

    def _climb(self, now: float) -> None:
        """Try a step more."""
        self._note_trip()
        step = self._level * (self._step + STEP_IN_NOISE * self._common)
        limit = min(self._ceiling, self._level + max(1, int(step + 0.3)))
        # All that is above the level was sent first, and must have been answered.
        self._begin(_UP, limit, now, until=max(8, limit - self._level))

    def _note_trip(self) -> None:
        if self._count.answers - self._count.failures >= 4:
            self._trip = self._count.mean_latency

    def _compare_anew(self) -> None:
        self._compared_at = self._level
        self._cruise, self._down = _Count(), _Count()

    def _learn(self, count: _Count) -> None:
        """Learn which share of failures is common."""
        known = min(self._known, MEMORY + 4 * self.limit)
        self._known = known + count.answers
        self._common = min(COMMON_AT_MOST, (self._common * known + count.failures) / self._known)

    def _on_cruised(self, now: float) -> None:
        """Look below the level where there is reason to, else above."""
        count, level = self._count, self._level
        self._proved = level
        self._learn(count)
        if count.answers >= CRUISE_ROUNDS * level:
            self._suspicion = None
        self._cruise.add(count, keep=0.75)
        self._last_latency = latency = count.mean_latency
        if latency and not 0 < self._lowest_latency < latency:
            self._lowest_latency = latency
        self._since_down += 1
        due = self._since_down >= (RARE if self._common < OFTEN_FROM else 1)
        if level > 1 and (
            self._is_slow(latency) or (due and self._known >= 2 * LEAST and self._common > COMMON_AT_LEAST)
        ):
            self._since_down = 0
            self._note_trip()
            below = min(level - 1, int(level * DEPTH))
            self._begin(_DOWN, below, now, until=max(LEAST, min(below, ENOUGH)))
        else:
            self._try_more(now, used=self._full >= count.answers / 2)

    def _is_slow(self, latency: float) -> bool:
        queued = self._level * (1 - self._lowest_latency / latency) if latency else 0.0
        return latency > QUEUE * self._lowest_latency + OWN and queued >= QUEUED

    def _on_compared(self, now: float) -> None:
        """Stay below where that is better."""
        count = self._count
        self._down.add(count, keep=0.75)
        self._learn(count)
        down = self._down
        likely = (down.failures + 1) / (down.answers + 2)
        # What fails below is common; what fails above it may not be.
        if down.answers >= 2 * LEAST:
            error = math.sqrt(likely * (1 - likely) / down.answers)
            self._common = min(self._common, likely + ERRORS * error)
        if self._is_slow(self._last_latency) and count.mean_latency:
            growth = math.log(self._last_latency / count.mean_latency) / math.log(self._level / self.limit)
            self._elastic = self._elastic + 1 if growth > QUEUED_GROWTH else 0
            if self._elastic >= CONFIRMED:
                self._settle(self.limit, now, "latency grows with what is under way")
                return
            if self._elastic:
                # Once more, soon.
                self._settle(self._level, now, self.reason, rounds=1.5)
                return
            if growth < INELASTIC:
                self._lowest_latency = count.mean_latency
        if down.answers >= 2 * LEAST and self._is_better(down):
            reason = f"more fails at {self._level} at once than at {self.limit}"
            self._known = min(self._known, down.answers)
            self._settle(self.limit, now, reason)
            self._compare_anew()
            return
        self._try_more(now, used=self._full >= count.answers / 2)

    def _is_better(self, down: _Count) -> bool:
        """Tell whether less fails below the level, and the level is not worth that."""
        if _evidence_of_more(self._cruise, down) <= BASELINE_GATE:
            return False
        above, below, depth = self._cruise.share, down.share, self.limit / self._level
        gained = (1 - above - depth * (1 - below)) / (1 - depth) / (1 - self._common)
        return gained < WORTH or above - self._common > WASTED

    def _try_more(self, now: float, *, used: bool) -> None:
        """Take a step up, unless there is no room, or the job does not even use the level."""
        if used and self._level < self._ceiling:
            self._climb(now)
        else:
            self._settle(self._level, now, self.reason)

    def _on_passed(self, now: float) -> None:
        """Make a step the level, unless it has only made the answers slower."""
        count, step = self._count, self.limit / self._level - 1
        if self._full < count.answers / 2:
            self._settle(self._level, now, self.reason)
            return
        latency, before = count.mean_latency, self._last_latency
        if before and latency > before * (1 + ELASTIC * step) and self._is_slow(latency):
            self._step = SMALLEST_STEP
            self._settle(self._level, now, "latency grows with what is under way")
            return
        self._step = min(LARGEST_STEP, self._step * STEP_GROWTH)
        self._last_latency = latency
        if self.limit == self._ceiling:
            self._settle(self.limit, now, f"no sign of trouble: {self.limit}, the most that is allowed")
            return
        self._note_trip()
        self._level = self.limit
        self.reason = f"no sign of trouble at {self.limit} at once: more"
        if self._level > 1.25 * self._compared_at:
            self._compare_anew()
        self._climb(now)

    # --------------------------------------------------------------------------------------------- alarms

    def _on_alarm(self, now: float) -> None:
        """More fails than is common: find out whether that depends on the level."""
        count = self._count
        if self._phase is _CHECK:
            self._on_alarm_again(now)
            return
        self._note_trip()
        at, failed_before = self._run_from
        run = _Count(count.answers - at, count.failures - failed_before)
        is_up = self._checked_up = self._phase is _UP
        suspicion = self._suspicion
        if suspicion is not None and not is_up and self.limit <= 0.75 * suspicion.before:
            suspicion.note(self.limit, count)
            if suspicion.is_chance(self._common):
                self._on_chance(suspicion, now)
                return
        elif suspicion is None or is_up or self._level > suspicion.before:
            self._suspicion = _Suspicion(self._level, self.limit, _Count() if is_up else run)
        if not is_up and count.answers >= 4 * run.answers:
            self._learn(count)
        self._peak, self._step_before, self._step = self.limit, self._step, SMALLEST_STEP
        self._recent = run
        self._alarm_at = now
        self._floor = self._level if is_up else max(1, self.limit // 4)
        above = self._level if is_up else self.limit - 1
        self.reason = f"more fails above {above} at once than below"
        self._check(self.limit - 1, now)

    def _check(self, limit: float, now: float) -> None:
        self._room = self.limit - 1.0
        self._begin(_CHECK, max(limit, self._floor), now, until=0)
        self._top = self.limit
        self._until = max(LEAST, min(self.limit, ENOUGH))

    def _on_alarm_again(self, now: float) -> None:
        """It goes on failing: go further down, unless the first cut has not even been felt."""
        count, suspicion = self._count, self._suspicion
        self._note_trip()
        trip = self._trip or count.mean_latency
        if suspicion is None or not trip or now < self._alarm_at + 1.2 * trip:
            self._check(self.limit - 1, now)
            return
        suspicion.note(self.limit, count)
        if suspicion.is_chance(self._common):
            self._on_chance(suspicion, now)
            return
        proved = self._level if self.limit > self._level else self._proved
        if self._checked_up and self.limit > proved:
            # Nothing had failed there: a step before the last may have been too large, too.
            self._floor = min(self._floor, proved)
            self._check(max(proved, self.limit * 0.8), now)
            return
        if count.share < self._common + STEEP:
            self._floor = 1
            self._check(self.limit * 0.9, now)
            return
        self._floor = 1
        is_deep = self.limit <= DEEPER * suspicion.before
        self._check(
            self.limit * 0.7 if is_deep else min(self.limit * 0.8, DEEPER * suspicion.before),
            now,
        )

    def _on_chance(self, suspicion: _Suspicion, now: float) -> None:
        """As much fails below: it was chance."""
        both, before = suspicion.both, suspicion.before
        self._common, self._known = min(COMMON_AT_MOST, both.share), both.answers
        self._suspicion = None
        self._settle(before, now, f"as much fails with fewer under way: {before} at once again")

    def _on_checked(self, now: float) -> None:
        """The failing has ended: this is what the server takes."""
        suspicion, before, level = self._suspicion, self._level, self.limit
        if suspicion is not None:
            if not self._checked_up:
                before = suspicion.before
                if level <= 0.75 * before:
                    suspicion.note(level, self._count)
            else:
                self._suspicion = None
        self._learn(self._count)
        if self._checked_up and level >= 0.9 * self._peak:
            # Hardly any was in excess: a false alarm.
            self._step = self._step_before
            self._settle(level, now, self.reason, rounds=1.5)
        elif level < 0.9 * before:
            self._settle(level, now, self.reason, rounds=2)
        else:
            self._settle(level, now, self.reason)
