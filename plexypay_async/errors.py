"""Every exception of the library, and the outcome that each one reports.

The question after a failed payment call is never only "what went wrong?" but "did it happen?". Every error
answers it in `outcome`. No error holds the API key or card data, and all of them pickle, so that task queues
can carry them from one process to another.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypedDict, Unpack

from ._composed_docs import help_shows_fields
from ._privacy.hiding import masked_card_numbers

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectError",
    "DeadlineExceededError",
    "IdempotencyError",
    "InvalidRequestError",
    "NotFoundError",
    "OrderReferenceConflictError",
    "OutageError",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "PlexyPayError",
    "RateLimitedError",
    "RefusedError",
    "ServiceUnavailableError",
    "SomethingWentWrongError",
    "UnprocessableError",
    "UnreadableResponseError",
    "WebhookAuthenticationError",
    "WebhookError",
    "WebhookInProgressError",
    "WebhookNotMarkedError",
    "WebhookPayloadError",
]


class Outcome(enum.Enum):
    """What is known about the effect of a call that raised."""

    NOT_SENT = "not_sent"
    """Nothing reached the server: nothing happened."""
    REJECTED = "rejected"
    """The server answered that it did not do it."""
    UNKNOWN = "unknown"
    """It may have happened. Find out before doing it again."""
    DONE = "done"
    """It happened; only the answer was lost or could not be read."""


LONGEST_MESSAGE = 4000
"""Characters of an error's message: what it quotes of the caller's or the server's may be of any length."""


CLIENT_CLOSED = "this client is closed: make a new one"
"""The message of what a closed client is asked for."""


def _restore(cls: type[PlexyPayError], args: tuple[Any, ...], state: dict[str, Any]) -> PlexyPayError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class _Known(TypedDict, total=False):
    """What is known of the call that an error is about; see the attributes of `PlexyPayError`."""

    outcome: Outcome | None
    operation: str | None
    attempts: Iterable[PlexyPayError]
    order_reference: str | None


@help_shows_fields
class PlexyPayError(Exception):
    """The base of every exception that the library raises."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        help_shows_fields(cls)
        if "default_outcome" in vars(cls):
            cls.outcome = cls.default_outcome

    # What an error is not told stands in its class alone: web frameworks write out what is its own.
    default_outcome: ClassVar[Outcome | None] = None
    """The `outcome` of its errors that are given none."""

    outcome: Outcome | None = None
    """What is known of the call's effect; None on a `WebhookError`, except where one says `DONE`."""
    operation: str | None = None
    """The operation's name, such as ``payment_links.create``."""
    attempts: tuple[PlexyPayError, ...] = ()
    """The errors of the earlier attempts of the same call, oldest first."""
    order_reference: str | None = None
    """The order reference of the request, where it has one."""
    idempotency_key: str | None = None
    """The key that the request was sent with, where it has one: the same call with it is safe to repeat."""
    lasting: bool = False
    """Whether trying again cannot help: the server's certificate does not prove who it is, or what raised is
    no matter of the network but code of the caller's, such as a tracer's hook."""
    cursor: str | None = None
    """On a listing that broke: where `resume` goes on, the first page not yet delivered."""
    link_id: str | None = None
    """The `id` of the payment link that this is about, where an answer shows one and the call cannot return
    it: it cannot be read as a whole, or is not plainly the one that was asked for."""
    link_url: str | None = None
    """The `url` of that link, as far as it is known."""
    headers: Mapping[str, str] | None = None
    """The headers of the answer that this is about, by names in any case; None where there was none. Its
    `repr` shows the values of those alone that are known to hold no secret; cookies are not kept."""
    request_id: str | None = None
    """The id that the answer gives its request, in the API's error or else in a usual header, such as
    ``X-Request-Id``: what the vendor's support asks for. Evidence: ``request_id`` in an error of the Checkout
    API is published, no header is."""
    elapsed: float | None = None
    """Seconds from the sending of the request until its answer had come; None where there was none."""

    def __init__(
        self,
        message: str,
        *,
        outcome: Outcome | None = None,
        operation: str | None = None,
        attempts: Iterable[PlexyPayError] = (),
        order_reference: str | None = None,
    ) -> None:
        if len(message) > LONGEST_MESSAGE:
            # What is to be done stands at the end.
            half = LONGEST_MESSAGE // 2
            message = f"{message[:half]} ... {message[-half:]}"
        super().__init__(message)
        if outcome is not None:
            self.outcome = outcome
        if operation is not None:
            self.operation = operation
        if attempts:
            self.attempts = tuple(attempts)
        if order_reference is not None:
            self.order_reference = order_reference

    def __str__(self) -> str:
        # OSError, a base of DeadlineExceededError, has a __str__ of its own.
        return str(self.args[0]) if self.args else type(self).__name__

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(PlexyPayError, ValueError):
    """The caller's mistake, found before anything was sent."""

    default_outcome: ClassVar[Outcome | None] = Outcome.NOT_SENT

    def __init__(self, message: str, **known: Unpack[_Known]) -> None:
        # It may quote what the caller gave in the wrong place.
        super().__init__(masked_card_numbers(message), **known)


class ConnectError(PlexyPayError):
    """No connection could be made, so nothing was sent."""

    default_outcome: ClassVar[Outcome | None] = Outcome.NOT_SENT


class OutageError(PlexyPayError):
    """Everything that the client sends fails, and its `RetryPolicy` is not to wait: nothing was sent.

    `__cause__` is the latest failure, which may be of another call.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.NOT_SENT


class DeadlineExceededError(PlexyPayError, TimeoutError):
    """The call's own `timeout` ran out, over all of its attempts and pauses.

    `__cause__` is the last attempt's error; that of another call where this one waited for the end of an
    outage and sent nothing.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.UNKNOWN
    status: int | None = None
    """The HTTP status of the last answer, where there was one."""
    raw: Any = None
    """The decoded JSON of that answer; see `APIError.raw`."""


class OutcomeUnknownError(PlexyPayError):
    """The request may have taken effect and the library must not repeat it by itself."""

    default_outcome: ClassVar[Outcome | None] = Outcome.UNKNOWN
    status: int | None = None
    """The HTTP status of the answer that leaves the outcome unknown, where there was one."""
    raw: Any = None
    """The decoded JSON of that answer, as far as it could be read; see `UnreadableResponseError.raw`."""


class UnreadableResponseError(PlexyPayError):
    """The server's answer was cut, cannot be read, or is the API's error object with a success status.

    Its outcome is `DONE` where it proves even so that the work was done, and of a read; `REJECTED` where
    reading the resource has shown that it was not done.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.DONE

    status: int
    """The HTTP status of the answer."""
    body: str
    """The beginning of the answer's body."""
    cut: bool
    """Whether the connection ended before the body did, so that asking again may help."""
    raw: Any
    """The decoded JSON, where the answer is JSON of at most 64 KiB; what may be a card's number is hidden in
    it. A link's `link_id` and `link_url` are known from an answer of any size, and whole."""
    named: str | None = None
    """The id that the answer names, such as that of a transaction or a link."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        body: str = "",
        raw: Any = None,
        **known: Unpack[_Known],
    ) -> None:
        super().__init__(message, **known)
        self.status = status
        self.body = body
        self.raw = raw
        self.cut = False


class OrderReferenceConflictError(PlexyPayError):
    """The order reference already belongs to a link of another amount or currency, or to a dead one.

    The outcome is `UNKNOWN` where a create was sent, by this call or by an earlier run of a job, whose effect
    is not known: then `link_id` may be what that one has made. Else it is another order's.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.REJECTED


class RefusedError(PlexyPayError):
    """The server answered with a success status, or a 4xx, and said ``success: false``: it did not do it.

    A declined card is one. Under a 4xx the answer must have a word of the API's own besides: a code, a
    response code or the id of a transaction, or else a status that is given before any work, such as 400 or
    404. With ``success: false`` alone a 402, 408, 409, 410, 418 or 422 may be of something in between that
    had handed the work on: the outcome stays unknown where money moves. Under a 5xx it always does.

    Evidence: the 2023 docs' answers to payments, captures, cancels and refunds; that a declined payment's
    status is not 200 is from there too, which one it is they do not say.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.REJECTED

    status: int
    """The HTTP status of the answer."""
    code: str | None
    """The acquirer's or the API's code, such as ``51`` for insufficient funds; None where there is none."""
    message: str
    """The server's message."""
    answer: Any
    """The whole answer as its model; it stays behind where the error is pickled and it holds card data."""
    raw: Any = None
    """The decoded JSON of the answer, without the API key and card numbers; None where it holds card data."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        answer: Any = None,
        status: int = 200,
        **known: Unpack[_Known],
    ) -> None:
        operation = known.get("operation")
        if operation is None and code is None:
            text = message
        else:
            told = "refused" if operation is None else f"{operation}: refused"
            text = f"{told}: {message}" if code is None else f"{told} with code {code}: {message}"
        super().__init__(text, **known)
        self.message = message
        self.status = status
        self.code = code
        self.answer = answer

    def __reduce__(self) -> tuple[Any, ...]:
        restore, (kind, args, state) = super().__reduce__()
        if getattr(self.answer, "private", False):
            state["answer"] = None
        return restore, (kind, args, state)


class APIError(PlexyPayError):
    """The server's answer, where it was not a success.

    Evidence: the vendor's page "API Errors"; see there for the codes 1 to 5.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.REJECTED
    api_code: ClassVar[int | None] = None
    """The published code that this class stands for."""
    counts_as: int | None = None
    """The status by which a `RetryPolicy` allows repeats, where that is not the class' or its own."""
    is_typed: bool = False
    """Whether its `type` is one that the API publishes."""
    is_anyones: bool = False
    """Whether anything between may answer so, since no form of the API's errors is published."""

    status: int
    """The HTTP status."""
    code: int | str | None
    """The API's own error code; None where the answer carried none."""
    message: str
    """The server's message, or a description of an answer without one."""
    source: str | None
    """The part of the API that answered, such as ``keys`` or ``paymentLinks``; an open set."""
    type: str | None
    """The kind of error that the API names, such as ``apiError`` or ``card_error``; an open set."""
    param: str | None = None
    """The request's parameter that is wrong, where the API names it."""
    retry_after: float | None
    """Seconds that the server asked to wait, from ``Retry-After``."""
    transaction_id: str | None
    """The transaction that a body with ``success: false`` names: ask for it where the outcome is unknown."""
    raw: Any = None
    """The decoded JSON of the answer, where it is JSON of at most 64 KiB: with what has no attribute of its
    own, such as the field of each entry of ``errors``. The API key and card numbers are hidden in it; None
    where the call is about a customer's card."""
    declines: bool = False
    """Whether a 4xx says ``success: false`` as a declined payment does: with a code that is not one of the
    API's error object, a response code, or the id of a transaction."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: int | str | None = None,
        source: str | None = None,
        type: str | None = None,
        retry_after: float | None = None,
        **known: Unpack[_Known],
    ) -> None:
        if not status and code is None:
            text = message
        else:
            text = f"HTTP {status}: {message}" if code is None else f"HTTP {status}, code {code}: {message}"
        super().__init__(text, **known)
        self.message = message
        self.status = status
        self.code = code
        self.source = source
        self.type = type
        self.retry_after = retry_after
        self.transaction_id = None


def error_class_of(code: int) -> type[APIError] | None:
    """Return the class that stands for an error code of the API: the one whose `api_code` it is."""
    return next((kind for kind in _error_classes(APIError) if vars(kind).get("api_code") == code), None)


def error_codes() -> frozenset[int]:
    """Return the error codes of the API that have a class."""
    codes = (vars(kind).get("api_code") for kind in _error_classes(APIError))
    return frozenset(code for code in codes if code is not None)


def _error_classes(of: type[APIError]) -> Iterator[type[APIError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _error_classes(kind)


class ServiceUnavailableError(APIError):
    """Code 1: the service is unavailable and did nothing. Retried in every replay class."""

    api_code: ClassVar[int | None] = 1


class SomethingWentWrongError(APIError):
    """Code 2: an unexpected error on the server. The work may or may not have been done."""

    api_code: ClassVar[int | None] = 2
    default_outcome: ClassVar[Outcome | None] = Outcome.UNKNOWN


class InvalidRequestError(APIError):
    """Code 3: the request's parameters are malformed or missing."""

    api_code: ClassVar[int | None] = 3


class NotFoundError(APIError):
    """Code 4: there is no such resource, or it is out of the key's scope."""

    api_code: ClassVar[int | None] = 4


class UnprocessableError(APIError):
    """Code 5: the request was understood, and its data refused."""

    api_code: ClassVar[int | None] = 5


class AuthenticationError(APIError):
    """HTTP 401: the API key is missing or invalid."""


class PermissionDeniedError(APIError):
    """HTTP 403: the API key may not do this."""


class RateLimitedError(APIError):
    """HTTP 429: too many requests; nothing was done."""


class IdempotencyError(APIError):
    """The idempotency key was used with another payload, or its first request is still at work.

    What that first request has done, or will do, is not known by this one.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.UNKNOWN


class WebhookError(PlexyPayError):
    """A webhook delivery that must not be acted upon."""


class WebhookAuthenticationError(WebhookError):
    """The delivery does not carry what proves its sender: an expected token, or a signature."""


class WebhookPayloadError(WebhookError):
    """The delivery is authentic, but its body is not an event."""


class WebhookInProgressError(WebhookError):
    """Another worker is handling the same event now: answer 503, so that it is delivered again."""


class WebhookNotMarkedError(WebhookError):
    """The event WAS handled (the outcome is `DONE`), but `SeenWebhooks` could not mark it as handled.

    Its file's disk is full, or it is read-only, locked, removed or replaced. The event is handled again if it
    is delivered again: note its `dedupe_key` elsewhere, or mark it when the cause is removed.
    """

    default_outcome: ClassVar[Outcome | None] = Outcome.DONE

    dedupe_key: str
    """The key that was to be marked."""

    def __init__(self, message: str, *, dedupe_key: str = "", **known: Unpack[_Known]) -> None:
        super().__init__(message, **known)
        self.dedupe_key = dedupe_key
