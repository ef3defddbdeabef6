"""What calls were told, held against what the server did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from plexypay_async import Outcome, PlexyPayError, Replay

from .campaign_calls import CampaignCall
from .recording_server import Record

__all__ = ["Claim", "Lie", "lies_of", "told_of"]

SUCCESS = "success"
CANCELLED = "cancelled"
FOREIGN = "foreign exception"
HUNG = "hung"


@attrs.frozen
class Claim:
    """How one call ended."""

    call: CampaignCall
    marker: str
    ended: Outcome | str | None
    """The outcome of its error, or `SUCCESS`, `CANCELLED`, `FOREIGN`."""
    told: str = ""
    own: bool = True
    """Whether a success shows that it is this call's."""


@attrs.frozen
class Lie:
    """A claim that the server's record contradicts."""

    kind: str
    claim: Claim
    done: int
    account: tuple[str, ...]

    @property
    def last(self) -> str:
        """What befell the last request of the operation itself."""
        own = f" {self.claim.call.operation}: "
        told = [event.partition(own)[2] for event in self.account if own in event]
        return re.sub(r"[0-9.]+ s late", "late", told[-1]) if told else "never sent"

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.claim.call.title} ({self.claim.marker}), done {self.done} times"]
        lines += [f"    {event}" for event in self.account]
        lines.append(f"    the call ended: {self.claim.ended}; {self.claim.told[:300]}")
        return "\n".join(lines)


def claim_of(call: CampaignCall, marker: str, ended: Any) -> Claim:
    """Return what a call claims by its result or its exception."""
    if isinstance(ended, PlexyPayError):
        return Claim(call, marker, ended.outcome, f"{type(ended).__name__}: {ended}")
    if isinstance(ended, BaseException):
        return Claim(call, marker, FOREIGN, f"{type(ended).__name__}: {ended}")
    return Claim(call, marker, SUCCESS, f"{ended!r}", own=call.own(ended, marker))


def lies_of(
    claims: Iterable[Claim], record: Record, sent: Mapping[tuple[str, str], int] | None = None
) -> list[Lie]:
    """Compare each claim with the record; all late work must have been done.

    Args:
        claims: What calls were told.
        record: What the server did.
        sent: How often the client sent each method to each path, where that was counted.
    """
    lies: list[Lie] = []
    for claim in claims:
        kinds = _contradicted(claim, record, sent or {})
        account = tuple(record.history.get(claim.marker, ()))
        lies += [Lie(kind, claim, record.done[claim.marker], account) for kind in kinds]
    return lies


def _contradicted(claim: Claim, record: Record, sent: Mapping[tuple[str, str], int]) -> Iterable[str]:
    done = record.done[claim.marker]
    if claim.ended == FOREIGN:
        yield "no PlexyPayError"
    if claim.ended == HUNG:
        yield "a call that never ends"
    if claim.ended == SUCCESS and not claim.own:
        yield "success by an answer that is not its own"
    if claim.call.is_read:
        return
    if claim.ended in (Outcome.NOT_SENT, Outcome.REJECTED) and done:
        yield f"{claim.ended.name}, and it was done"
    if claim.ended is Outcome.DONE and not done:
        yield "DONE, and it was not done"
    if claim.ended == SUCCESS and not done and not _gone(claim, record, sent):
        yield "success, and it was not done"
    if claim.call.replay in (Replay.MONEY, Replay.CREATE) and done > 1:
        excused = record.excused[claim.marker] if claim.call.replay is Replay.CREATE else 0
        if done > 1 + excused:
            yield "done more than once"
    if claim.call.replay is Replay.AFTER_LOOKUP and len(record.made.get(claim.marker, ())) > 1:
        yield "two links of one reference"


def _gone(claim: Claim, record: Record, sent: Mapping[tuple[str, str], int]) -> bool:
    """Whether a deletion found nothing after an attempt that may have deleted it, which counts as done.

    After attempts that by their answers did nothing, a repeat that finds nothing has not deleted it. One that
    was lost on its way, of which the server knows nothing, may have deleted it as far as the client can tell.
    """
    if claim.call.operation != "split_requests.delete" or "-absent-" not in claim.marker:
        return False
    undone = ("code 1", "400", "403", "404", "413", "429")
    events = [event.partition(": ")[2] for event in record.history.get(claim.marker, ())]
    *earlier, _ = [event for event in events if event] or [""]
    lost = sent.get(("DELETE", f"/v1/split-requests/{claim.marker}"), 0) > len(earlier) + 1
    return lost or any(not event.startswith(undone) for event in earlier)


def told_of(claims: Iterable[Claim], lies: Sequence[Lie]) -> str:
    """Return a table of how the calls of each operation ended, and of the lies by kind."""
    ends: dict[str, Counter[str]] = {}
    for claim in claims:
        end = claim.ended.name if isinstance(claim.ended, Outcome) else str(claim.ended)
        ends.setdefault(claim.call.title, Counter())[end] += 1
    columns = (SUCCESS, "NOT_SENT", "REJECTED", "UNKNOWN", "DONE", CANCELLED, FOREIGN, HUNG)
    width = max(len(title) for title in ends)
    lines = [f"{'':{width}} " + " ".join(f"{column:>{max(9, len(column))}}" for column in columns)]
    for title, counted in ends.items():
        cells = " ".join(f"{counted[column]:>{max(9, len(column))}}" for column in columns)
        lines.append(f"{title:{width}} {cells}")
    kinds = Counter((lie.kind, lie.claim.call.title) for lie in lies)
    lines.append(f"{sum(kinds.values())} lies")
    lines += [f"  {count:6} {kind}: {title}" for (kind, title), count in sorted(kinds.items())]
    lines.append("by the last that befell the operation itself")
    last = Counter((lie.kind, lie.last) for lie in lies)
    lines += [f"  {count:6} {kind}: {fate}" for (kind, fate), count in sorted(last.items())]
    return "\n".join(lines)
