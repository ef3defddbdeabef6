"""What is known of one attempt's request while it is under way."""

from __future__ import annotations

from typing import Any, Protocol

from .deadlines import Watch

__all__ = ["Sending"]


class Closable(Protocol):
    """A connection."""

    def close(self) -> None:
        """Close it."""
        ...


class Sending:
    """What is known of one attempt's request while it is under way."""

    begun = False
    """Whether a byte of the request may have left."""
    writings = 0
    """How often the writing of its body began."""
    written_at: float | None = None
    """The loop's time at which its body was written."""
    connection: Closable | None = None
    """What it went out on."""
    response: Any = None
    """The HTTP library's response as it is made, which a hook's exception may keep from coming back."""
    look = False
    """Whether the event loop may have been busy since it last read, so that connections are looked at."""
    new = False
    """Whether it takes no connection that was used before: answers of others may be on their way there."""
    parts: list[bytes] | None = None
    """What has come of a body that came in several parts."""

    def __init__(self, watch: Watch, *, once: bool = False, fresh: bool = False) -> None:
        self.watch = watch
        """The call's; it cuts an attempt that hears nothing for too long."""
        self.once = once
        """Whether the HTTP library's own second sending, after a disconnect, must not happen."""
        self.fresh = fresh
        """Whether it takes no connection that has been idle for so long that the server may close it now."""

    def drop_connection(self) -> None:
        """Close the connection that it went out on, which is not to be trusted with another request."""
        if self.connection is not None:
            self.connection.close()

    @property
    def repeated(self) -> bool:
        """Whether the HTTP library sent it twice by itself, as for DELETE and PUT after a disconnect."""
        return self.writings > 1
