"""Observers: told of each call, each attempt and each pause, of bulk jobs and of webhooks received.

Logs and traces are built on this (`plexypay_async.logs`, `plexypay_async.telemetry`), and yours can be. What
an observer is told holds no secret: no key, no body, no card.
"""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._privacy.hiding import masked_card_numbers, shortened
from ._privacy.printable import log
from .errors import ConfigurationError, Outcome, PlexyPayError

if TYPE_CHECKING:
    from .pay.payment_links import JobProgress

__all__ = [
    "Audience",
    "ObservedAttempt",
    "ObservedCall",
    "ObservedJob",
    "ObservedPause",
    "ObservedRow",
    "ObservedWebhook",
    "Observer",
    "checked_observers",
    "tell",
    "told_reference",
]

LONGEST = 200
"""Characters of an order reference that is told."""
SHORTEST_CARD = 13
"""Digits of the shortest card's number."""


class Timed:
    """Something that begins and ends."""

    seconds: float | None = None
    """How long it took; None until it has ended."""

    def __init__(self) -> None:
        self._began = time.time()
        self._since = time.perf_counter()

    @property
    def began_at(self) -> datetime:
        """When it began, in UTC."""
        return datetime.fromtimestamp(self._began, UTC)

    def end(self) -> None:
        """Note that it ends now."""
        self.seconds = time.perf_counter() - self._since


class ObservedJob(Timed):
    """A bulk job under way: `create_many`."""

    operation = "payment_links.create_many"
    """Its name."""
    progress: JobProgress | None = None
    """How far it is: sums, the limit of its concurrency and why that has changed last."""
    error: BaseException | None = None
    """What has ended it before its source ended; None where nothing has."""

    def __repr__(self) -> str:
        return f"<ObservedJob {self.operation}>"


class ObservedCall(Timed):
    """A call under way, and in the end what became of it."""

    attempts: int = 0
    """How often the operation itself was sent so far."""
    requests: int = 0
    """How many requests were sent so far: its attempts, and the look-ups of what they have done."""
    waited: float = 0.0
    """Seconds that its requests have waited for a connection's place, and in a job for their turn."""
    paused: float = 0.0
    """Seconds of pauses between its requests so far."""
    outcome: Outcome | None = None
    """What became of it; None until it has ended. A read that was sent and has no answer is unknown, too."""
    error: PlexyPayError | None = None
    """What it has raised, with the body of the answer as `raw`, as the caller gets it."""
    cancelled: bool = False
    """Whether its caller has cancelled it, or something that is no error of the library's has ended it."""
    recovered: bool = False
    """Whether its result was found by a look-up, after its own answer was lost."""
    status: int | None = None
    """The HTTP status of the latest answer."""
    code: int | str | None = None
    """The API's error code, where it failed with one."""
    request_id: str | None = None
    """The id that the latest answer gives its request: for the vendor's support."""

    def __init__(
        self,
        operation: str,
        method: str,
        url_template: str | None,
        base_url: str,
        order_reference: str | None,
        resource_id: str | None,
        job: ObservedJob | None,
        *,
        expects_nothing: bool = False,
    ) -> None:
        self._began, self._since = time.time(), time.perf_counter()
        self.operation = operation
        """The operation's name, such as ``payment_links.create``; method and path of a raw request, without
        its query."""
        self.method = method
        """The HTTP method."""
        self.url_template = url_template
        """The path with names in place of values, such as ``/v1/payment-links/{id}``; None for a raw
        request, whose path may hold ids."""
        self.base_url = base_url
        """The API's address."""
        self.order_reference = order_reference
        """The merchant's reference that its request carries, if it carries one."""
        self.resource_id = resource_id
        """The id in the path that it asks for, if it asks for one."""
        self.job = job
        """The bulk job that it belongs to, if it does."""
        self.expects_nothing = expects_nothing
        """Whether it is one of the library's own reads, to which "not found" is a good answer."""

    def __repr__(self) -> str:
        return f"<ObservedCall {self.operation}>"


class ObservedRow:
    """A row of a bulk job that has failed for good: it has no link."""

    def __init__(
        self, job: ObservedJob, index: int, order_reference: str | None, error: PlexyPayError
    ) -> None:
        self.job = job
        """The job."""
        self.index = index
        """Its number in the job, from 0 on."""
        self.order_reference = order_reference
        """Its order reference, if it has one."""
        self.error = error
        """Why."""

    def __repr__(self) -> str:
        return f"<ObservedRow {self.index} of {self.job.operation}>"


class ObservedAttempt(Timed):
    """One request of a call, and in the end how it was answered."""

    status: int | None = None
    """The HTTP status of the answer; None without one."""
    code: int | str | None = None
    """The API's error code, where the answer has one."""
    request_id: str | None = None
    """The id that the answer gives the request: for the vendor's support."""
    error: PlexyPayError | None = None
    """What has kept it from succeeding."""
    outcome: Outcome | None = None
    """What became of it, as far as it tells by itself; None until it has ended, and of a whole answer with a
    success status: what that says is read later, and told with the call."""
    cancelled: bool = False
    """Whether the call ended amid it, by its deadline or by its caller."""
    timed_out: bool = False
    """Whether that was by its deadline."""
    resent: bool = False
    """Whether aiohttp has sent it twice by itself, as it does with GET, PUT and DELETE after a disconnect."""

    def __init__(
        self,
        call: ObservedCall,
        number: int,
        purpose: Literal["operation", "look-up"],
        method: str,
        url_template: str | None,
        waited: float,
    ) -> None:
        self._began, self._since = time.time(), time.perf_counter()
        self.call = call
        """The call that it belongs to."""
        self.number = number
        """Which one of its purpose it is, from 1 on."""
        self.purpose: Literal["operation", "look-up"] = purpose
        """Whether it does what the call is for, or looks for what an attempt before it has done."""
        self.method = method
        """The HTTP method."""
        self.url_template = url_template
        """The path with names in place of values; None for a raw request."""
        self.waited = waited
        """Seconds that it has waited for a connection's place, and in a job for its turn."""
        self.headers: dict[str, str] = {}
        """Headers to send with it, such as ``traceparent``: to be filled in `attempt_began`."""

    def __repr__(self) -> str:
        return f"<ObservedAttempt {self.number} of {self.call.operation}>"


PauseReason: TypeAlias = Literal["backoff", "retry-after", "budget", "outage", "proof"]


class ObservedPause:
    """A wait of a call before its next request."""

    def __init__(
        self,
        call: ObservedCall,
        reason: PauseReason,
        seconds: float | None,
        error: PlexyPayError | None,
    ) -> None:
        self.call = call
        """The call that pauses."""
        self.reason: PauseReason = reason
        """Why: between attempts, because the server has said how long, for the client's retry budget, until a
        server that fails everything works again, or until a look-up can prove what became of an attempt."""
        self.seconds = seconds
        """How long; None where nobody knows, as in an outage. A wait for the budget is told when it is
        over."""
        self.error = error
        """What the attempt before has met; None where there was none."""

    def __repr__(self) -> str:
        return f"<ObservedPause of {self.call.operation}: {self.reason}>"


class ObservedWebhook(Timed):
    """A delivery that a `WebhookReceiver` was given."""

    event: str | None = None
    """The event's name, such as ``transaction.charged``; None where the delivery was refused."""
    is_known: bool = False
    """Whether the library knows such events."""
    order_reference: str | None = None
    """The merchant's reference that the event names, if it names one."""
    transaction_id: str | None = None
    """The transaction that the event names, if it names one."""
    repeated: bool = False
    """Whether the event was handled before."""
    error: BaseException | None = None
    """Why it was refused; or what `seen` has raised, where it was not."""

    def __repr__(self) -> str:
        return f"<ObservedWebhook {self.event}>"


class Observer:
    """Told what happens. Each method does nothing: override those of interest.

    They are called on the event loop, in the context of the call (the caller's context variables, on the sync
    client too), and hold everything up for as long as they take: they must not block. What they raise is
    logged, and breaks nothing. The same object is given from the beginning of a call, an attempt or a job to
    its end, so it can be a key of a dict. Which methods an observer overrides is found when its client is
    made.
    """

    def is_idle(self) -> bool:
        """Tell whether it wants to know nothing of the next call; asked before each, in its context.

        Where none of a client's observers wants to know, nothing is told.
        """
        return False

    def call_began(self, call: ObservedCall) -> None:
        """Note that a call begins; a row of a bulk job is one, too."""

    def attempt_began(self, attempt: ObservedAttempt) -> None:
        """Note that a request is about to be sent; `headers` may be filled in."""

    def attempt_ended(self, attempt: ObservedAttempt) -> None:
        """Note how a request ended."""

    def call_paused(self, pause: ObservedPause) -> None:
        """Note that a call begins to wait."""

    def call_ended(self, call: ObservedCall) -> None:
        """Note how a call ended."""

    def job_began(self, job: ObservedJob) -> None:
        """Note that a bulk job begins."""

    def job_changed(self, job: ObservedJob) -> None:
        """Note how far a bulk job is: at most twice a second, and whenever its limit changes."""

    def row_failed(self, row: ObservedRow) -> None:
        """Note that a row of a bulk job has failed for good."""

    def job_ended(self, job: ObservedJob) -> None:
        """Note how a bulk job ended."""

    def webhook_received(self, webhook: ObservedWebhook) -> None:
        """Note what a delivery said, or why it was refused."""


def told_reference(reference: str | None) -> str | None:
    """Return an order reference as observers are told it: short, and without a card's number."""
    if reference is None or len(reference) < SHORTEST_CARD:
        return reference
    return shortened(masked_card_numbers(reference), LONGEST)


_Methods: TypeAlias = tuple[Callable[[Any], object], ...]


class Audience:
    """Observers, by what they want to be told: for each event, the methods that they override.

    Ends are told in the reverse order: what one has put around another at the beginning is taken away first.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        def methods(event: str) -> _Methods:
            does_nothing = vars(Observer)[event]
            found = [getattr(observer, event) for observer in observers]
            wanted = [each for each in found if getattr(each, "__func__", None) is not does_nothing]
            return tuple(reversed(wanted) if event.endswith("_ended") else wanted)

        # Those that are never idle need not be asked.
        may_be_idle = all(type(observer).is_idle is not Observer.is_idle for observer in observers)
        self._ask_idle = tuple(observer.is_idle for observer in observers) if may_be_idle else None
        """What tells whether each wants to know of the next call; None where one always does."""
        self.call_began: _Methods = methods("call_began")
        self.attempt_began: _Methods = methods("attempt_began")
        self.attempt_ended: _Methods = methods("attempt_ended")
        self.call_paused: _Methods = methods("call_paused")
        self.call_ended: _Methods = methods("call_ended")
        self.job_began: _Methods = methods("job_began")
        self.job_changed: _Methods = methods("job_changed")
        self.row_failed: _Methods = methods("row_failed")
        self.job_ended: _Methods = methods("job_ended")
        self.webhook_received: _Methods = methods("webhook_received")

    def is_idle(self) -> bool:
        """Tell whether none of them wants to know of the next call."""
        if self._ask_idle is None:
            return False
        for is_idle in self._ask_idle:
            try:
                if not is_idle():
                    return False
            except _what_observers_raise() as error:
                _log_failure(is_idle, error)
                return False
        return True


def _what_observers_raise() -> tuple[type[BaseException], ...]:
    """Return what breaks no call; webhooks are to be received without loading asyncio."""
    from asyncio import CancelledError

    return Exception, CancelledError


def tell(methods: Sequence[Callable[[Any], object]], subject: Any) -> None:
    """Call the methods of observers, and log that one raises, where it does.

    Args:
        methods: Those of one event, from an `Audience`.
        subject: What it is about.
    """
    for method in methods:
        try:
            method(subject)
        # Nothing is awaited here, so a `CancelledError` is an observer's own.
        except _what_observers_raise() as error:
            _log_failure(method, error)


_failed: set[str] = set()


def _log_failure(method: Callable[..., object], error: BaseException) -> None:
    """Log that an observer has raised, and where; at WARNING the first time.

    Its traceback is not given to the log's handlers: an error that was under way meanwhile, and its frames
    with the key, may hang on it.
    """
    observer: Any = getattr(method, "__self__", method)
    name = f"{type(observer).__qualname__}.{getattr(method, '__name__', '?')}"
    is_first = name not in _failed
    _failed.add(name)
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    # What a handler's filter raises breaks no call either.
    with contextlib.suppress(Exception):
        log.log(
            logging.WARNING if is_first else logging.DEBUG,
            "%s raised %s (%s), which is ignored",
            name,
            type(error).__name__,
            where,
        )


def checked_observers(given: Any) -> tuple[Observer, ...]:
    """Return observers as a tuple.

    Raises:
        ConfigurationError: One of them is none.
    """
    if given is None:
        return ()
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"observers: expected a list of Observer objects, got {type(given).__name__}"
        )
    found: list[Observer] = []
    for each in given:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(each, Observer):
            got = each.__name__ if isinstance(each, type) else type(each).__name__  # pyright: ignore[reportUnknownArgumentType]
            told = f"the class {got}; make one of it" if isinstance(each, type) else got
            raise ConfigurationError(f"observers: expected Observer objects, got {told}")
        # Told twice, it would take its first beginning for one that never ends.
        if not any(each is other for other in found):
            found.append(each)
    return tuple(found)
