"""What the calls of one client share: its settings, connections, codecs and retry budget."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._wire.messages import WireRequest, WireResponse
from ..api.operation import Listing, Operation
from ..errors import CLIENT_CLOSED, ConfigurationError, PlexyPayError
from ..logs import CALLS, LOG
from ..network import checked_default_headers, merged_headers
from ..observer import Audience
from ..settings import Settings
from .admission import SingleLimits
from .concurrency import AdaptiveLimit, FixedLimit, RateClock
from .deadlines import Deadlines
from .outage_gate import OutageGate
from .recovery import Recovery
from .retry_budget import JobRetryBudget, ProbeQueue, RetryBudget
from .sending import Sending
from .slots import Slots, running_loop

if TYPE_CHECKING:
    from .._wire.codec import ListingCodec, OperationCodec

__all__ = ["Connections", "Execution", "Transport"]

R = TypeVar("R")
A = TypeVar("A")


class Connections(Protocol):
    """One event loop's connections, with what bounds the requests on them."""

    slots: Slots
    deadlines: Deadlines
    concurrency_limit: AdaptiveLimit
    fixed_limit: FixedLimit
    rate_clock: RateClock

    def probes(self, budget: JobRetryBudget) -> ProbeQueue:
        """Return the queue of bulk jobs for the client's one retry budget."""
        ...

    def gate(self, budget: RetryBudget) -> OutageGate:
        """Return the gate of single calls, for the client's one retry budget."""
        ...

    async def send(
        self, request: WireRequest, options: Any, sending: Sending
    ) -> WireResponse | PlexyPayError:
        """Send a request once and return its answer, or the error that says what became of it."""
        ...


class Transport(Protocol):
    """What opens connections and sends requests on them: all that a call knows of HTTP."""

    closed: bool

    def options(self, settings: Settings) -> Any:
        """Prepare what a client's settings mean for each request."""
        ...

    def opened(self, loop: asyncio.AbstractEventLoop) -> Connections | None:
        """Return a loop's connections, where they are open."""
        ...

    async def connections(self) -> Connections:
        """Return the running loop's connections, opened at the first call."""
        ...

    @property
    def is_sandbox(self) -> bool | None:
        """Whether the server is a sandbox; None before the first answer."""
        ...

    async def close(self) -> None:
        """Close the connections of every loop that is still there."""
        ...

    def close_outside(self) -> None:
        """Close the connections from outside any event loop."""
        ...

    def let_go(self) -> Sequence[Any]:
        """Forget every connection without closing it, and return them: a fork has left them to the parent."""
        ...


def _gate(transport: Transport, budget: RetryBudget) -> OutageGate:
    """Return the gate of the running event loop.

    Raises:
        ConfigurationError: The client is closed.
    """
    connections = transport.opened(running_loop())
    if connections is None:
        raise ConfigurationError(CLIENT_CLOSED)
    return connections.gate(budget)


class Execution:
    """What the calls of one client share: with derived clients its transport, and options of its own."""

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
        self.recovery: Recovery = Recovery() if recovery is None else recovery
        self.limits: SingleLimits = SingleLimits(
            settings, budget, functools.partial(_gate, transport, budget)
        )
        """What bounds single calls."""
        self.audience: Audience | None = Audience(settings.observers) if settings.observers else None
        """The client's observers; None where it has none."""
        self._with_log: Audience | None = None
        self.options: Any = transport.options(settings)
        """What the settings mean to the transport."""
        self.codecs: dict[str, OperationCodec[Any]] = {}
        """Those that were made so far, by the operation's name."""
        self._listing_codecs: dict[str, ListingCodec[Any]] = {}

    def told(self) -> Audience | None:
        """Return whom to tell of what is done: the client's observers, and the log where it is at DEBUG."""
        if not CALLS.isEnabledFor(logging.DEBUG):
            audience = self.audience
            return None if audience is None or audience.is_idle() else audience
        if self._with_log is None:
            self._with_log = Audience((*self.settings.observers, *LOG))
        return self._with_log

    def derived(self, settings: Settings) -> Execution:
        """Return an execution with other options on the same connections and the same budget."""
        # What one key can see, or one path finds, proves nothing about another.
        same = settings.paths == self.settings.paths and settings.api_key == self.settings.api_key
        return Execution(settings, self.transport, self.budget, self.recovery if same else None)

    def of_one_call(self, headers: Mapping[str, str] | None = None, **options: Any) -> Execution:
        """Return an execution with other options for one call.

        Args:
            headers: Further headers, before those of the client of the same name.
            options: Other settings; None leaves one as it is.

        Raises:
            ConfigurationError: An option is unusable.
        """
        settings = self.settings
        own = merged_headers(
            settings.default_headers, checked_default_headers(headers, "headers", settings.api)
        )
        execution = self.derived(settings.changed(default_headers=own, **options))
        # They are the same: the paths do not change.
        execution.codecs, execution._listing_codecs = self.codecs, self._listing_codecs
        return execution

    def codec(self, operation: Operation[..., R]) -> OperationCodec[R]:
        """Return an operation's codec, made at its first call."""
        codec = self.codecs.get(operation.name)
        if codec is None:
            from .._wire.codec import OperationCodec

            settings = self.settings
            codec = OperationCodec(operation, settings.paths.get(operation.name), settings.parameters)
            self.codecs[operation.name] = codec
        return codec

    def listing_codec(self, listing: Listing[..., A]) -> ListingCodec[A]:
        """Return a listing's codec, made at its first call."""
        codec = self._listing_codecs.get(listing.name)
        if codec is None:
            from .._wire.codec import ListingCodec

            settings = self.settings
            codec = ListingCodec(listing, settings.paths.get(listing.name), settings.parameters)
            self._listing_codecs[listing.name] = codec
        return codec
