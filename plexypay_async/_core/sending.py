"""What is known of one attempt's request while it is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from .deadlines import Watch

__all__ = ["ConnectionMemory", "Sending", "path_of"]


LATEST = 4
"""So many answers are remembered of a connection, of those that came at once and so are short."""


class Closable(Protocol):
    """A connection."""

    def close(self) -> None:
        """Close it."""
        ...


class ConnectionMemory:
    """What is remembered of a connection that is used again."""

    __slots__ = ("answers", "kept_for", "unclear_at", "used_at")

    def __init__(self) -> None:
        self.used_at: float | None = None
        """The loop's time at which the last request went out on it; None before the first."""
        self.kept_for: float | None = None
        """Seconds that its first answer says that the server keeps it while it is idle; None before that."""
        self.unclear_at: float | None = None
        """The loop's time at which an answer that names no request came on it: a proxy may send it again."""
        self.answers: deque[tuple[str, bytes, Mapping[str, str], Mapping[str, str] | None]] = deque(
            maxlen=LATEST
        )
        """Path and query of the latest requests that were answered on it, with the answers' bodies and
        headers, and the headers that were the requests' own: an idempotency key."""

    def has_had(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Tell whether the very same answer came before, its headers too: servers date and number them."""
        for _, one, told, _ in self.answers:  # noqa: SIM110 - a third of the time of a generator
            if one == body and told == headers:
                return True
        return False


class Sending:
    """What is known of one attempt's request while it is under way."""

    begun = False
    """Whether a byte of the request may have left."""
    writings = 0
    """How often the writing of its body began."""
    written_at: float | None = None
    """The loop's time at which its body was written."""
    went_at: float | None = None
    """The loop's time at which it went out, as its connection remembers it."""
    connection: Closable | None = None
    """What it went out on."""
    memory: ConnectionMemory | None = None
    """What is remembered of that."""
    response: Any = None
    """The HTTP library's response as it is made, which a hook's exception may keep from coming back."""
    new = False
    """Whether it takes no connection that was used before: answers of others may be on their way there."""
    parts: list[bytes] | None = None
    """What has come of a body that came in several parts."""

    def __init__(self, watch: Watch, once: bool = False, fresh: bool = False) -> None:
        self.watch = watch
        """The call's; it cuts an attempt that hears nothing for too long."""
        self.once = once
        """Whether the HTTP library's own second sending, after a disconnect, must not happen."""
        self.fresh = self.look = fresh
        """Whether it takes no connection that has been idle for so long that the server may close it now, and
        whether one is looked at before: the event loop may have been busy since it last read from it."""

    def drop_connection(self) -> None:
        """Close the connection that it went out on, which is not to be trusted with another request."""
        if self.connection is not None:
            self.connection.close()

    def seconds_until(self, now: float) -> float | None:
        """Return the seconds since it left, by the loop's clock; None where that is not known."""
        left = self.written_at
        if left is None and self.memory is not None:
            left = self.memory.used_at
        return None if left is None else max(0.0, now - left)

    def distrust(self) -> None:
        """Note that the answer names no request: it may come again, as that of another on the connection.

        Where the body came after the head, another request may have gone out on the connection by now: it is
        closed then, and what that request has met is not known.
        """
        if self.memory is not None:
            if self.memory.used_at != self.went_at:
                self.drop_connection()
            self.memory.unclear_at = self.watch.now()

    def told_before(self, body: bytes, headers: Mapping[str, str] | None = None) -> str | None:
        """Return the target of an earlier request on the connection that got the very same answer.

        Not of one with the same headers of its own, if it has any: what is said of a key is said again.
        """
        answers = () if self.memory is None else self.memory.answers
        return next(
            (
                target
                for target, one, _, own in answers
                if one and one is not body and one == body and not (own and own == headers)
            ),
            None,
        )

    def told_elsewhere(self, target: str, answer: Mapping[str, str] | None, body: bytes) -> str | None:
        """Return another path, of which an earlier request on the connection got the very same answer.

        With the same headers too: two paths may honestly say the same, such as that there is nothing.

        Args:
            target: What was asked for.
            answer: The answer's headers.
            body: Its body.
        """
        answers = () if self.memory is None else self.memory.answers
        path = path_of(target)
        return next(
            (
                path_of(before)
                for before, one, told, _ in answers
                if one and one is not body and one == body and path_of(before) != path and told == answer
            ),
            None,
        )

    def unheard_for(self, now: float) -> float:
        """Return the seconds since it left, by the loop's clock; 0.0 where an answer has begun to come."""
        if self.response is not None and self.response.status:
            return 0.0
        left = self.went_at if self.written_at is None else self.written_at
        return 0.0 if left is None else max(0.0, now - left)

    @property
    def repeated(self) -> bool:
        """Whether the HTTP library sent it twice by itself, as for DELETE and PUT after a disconnect."""
        return self.writings > 1


def path_of(target: str) -> str:
    """Return the path of a target, without its query."""
    return target.partition("?")[0]
