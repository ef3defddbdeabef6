"""What the calls of one client share: its settings, connections, codecs and retry budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .call import Call
from .errors import (
    ConfigurationError,
)
from .hiding import without_own_frames
from .limits import Pace, ProbeQueue, RetryBudget
from .operation import Listing, Operation
from .recovery import Recovery
from .settings import Settings
from .transport import Transport, Wire

if TYPE_CHECKING:
    from .codec import ListingCodec, OperationCodec
    from .wire import WireRequest

__all__ = ["Execution", "Patience"]

R = TypeVar("R")
A = TypeVar("A")
D = TypeVar("D", covariant=True)

MOST_MISFITS = 2
"""So many answers of another request a read passes over; another one is what the server means."""


class Execution:
    """Performs the calls of one client: what it shares with derived clients, and its own options."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        budget: RetryBudget,
        recovery: Recovery | None = None,
    ) -> None:
        self.settings = settings
        self.transport = transport
        self.budget = budget
        self.recovery = Recovery() if recovery is None else recovery
        self.wire = Wire.of(settings)
        self._codecs: dict[str, OperationCodec[Any]] = {}
        self._listing_codecs: dict[str, ListingCodec[Any]] = {}

    def derived(self, settings: Settings) -> Execution:
        """Return an execution with other options on the same connections and the same budget."""
        # What one key can see, or one path finds, proves nothing about another.
        same = settings.paths == self.settings.paths and settings.api_key == self.settings.api_key
        return Execution(settings, self.transport, self.budget, self.recovery if same else None)

    def codec(self, operation: Operation[..., R]) -> OperationCodec[R]:
        """Return an operation's codec, made at its first call."""
        codec = self._codecs.get(operation.name)
        if codec is None:
            from .codec import OperationCodec

            codec = OperationCodec(operation, self.settings.paths.get(operation.name))
            self._codecs[operation.name] = codec
        return codec

    def listing_codec(self, listing: Listing[..., A]) -> ListingCodec[A]:
        """Return a listing's codec, made at its first call."""
        codec = self._listing_codecs.get(listing.name)
        if codec is None:
            from .codec import ListingCodec

            codec = ListingCodec(listing, self.settings.paths.get(listing.name))
            self._listing_codecs[listing.name] = codec
        return codec

    def call(
        self,
        operation: Operation[..., R],
        request: Any,
        *,
        wire_request: WireRequest | None = None,
        patience: Patience | None = None,
        look_first: bool = False,
        reached: bool = False,
        settled_at: float = 0.0,
    ) -> Call[R]:
        """Return the call that performs an operation; nothing is sent before it runs.

        Args:
            operation: What to do.
            request: Its request.
            wire_request: The request as it goes out, where it is encoded already.
            patience: How a bulk job's call differs.
            look_first: Whether it may have been done before, so that it is looked up before it is sent.
            reached: Whether an earlier run may have reached the server, so that a refusal may be of what that
                one made; `look_first` implies it.
            settled_at: The loop's time before which a look-up proves nothing, since a request of an earlier
                run may still be at work on the server.
        """
        codec = self._codecs.get(operation.name) or self.codec(operation)
        if wire_request is None:
            try:
                wire_request = codec.encode(request)
            except ConfigurationError as error:
                # The encoder's frames hold the body, and with it a card's data.
                without_own_frames(error)
                raise error from None
        if patience is None:
            return Call(self, codec, wire_request, operation.replay, operation, request)
        return Call(
            self,
            codec,
            wire_request,
            operation.replay,
            operation,
            request,
            patience=patience,
            look_first=look_first,
            reached=reached,
            settled_at=settled_at,
        )


class Patience:
    """How a bulk job's calls differ: they keep a pace, and wait for the retry budget instead of giving up.

    Their deadline alone bounds their attempts, unless the client's policy allows one only. It begins when it
    is a call's turn: waiting for the pace is no time of the link's.
    """

    def __init__(self, timeout: float, pace: Pace, probes: ProbeQueue) -> None:
        self.timeout = timeout
        self.pace = pace
        self.probes = probes
        self.calls = 0
        """How many are under way."""

    @property
    def is_outage(self) -> bool:
        """Whether nothing but a probe should be sent."""
        return self.probes.is_outage(self.calls)
