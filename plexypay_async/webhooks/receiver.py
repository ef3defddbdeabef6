"""The receiver of webhooks: it authenticates a delivery, then reads its event. No I/O and no framework.

Evidence: ``Authorization: Bearer <token>`` is published; the token without the scheme is observed. There is
no signature.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, Protocol, TypeVar, cast, overload

from .._privacy.hiding import masked_card_numbers, shortened
from .._privacy.secret import Secret
from ..errors import ConfigurationError, PlexyPayError, WebhookAuthenticationError, WebhookError
from ..observer import Audience, ObservedWebhook, Observer, checked_observers, tell, told_reference
from .events import Event, TransactionEvent, UnknownEvent, event_of, structures
from .payloads import document_of
from .tokens import checked_tokens, is_one_of, token_in

__all__ = ["WebhookReceiver"]

LONGEST_NAME = 100
"""Characters of an event's name that observers are told."""

_Error = TypeVar("_Error", bound=BaseException)


class DeliveryHeaders(Protocol):
    """What has headers as pairs: a mapping, or a framework's own kind of one."""

    def items(self) -> Iterable[tuple[Any, Any]]: ...


class WebhookReceiver:
    """Authenticates deliveries and reads their events; thread-safe, and without any I/O.

    Neither an error of its own nor any frame of its tracebacks holds a token, headers or a body.

    Args:
        tokens: The token that deliveries carry, without ``Bearer``, or several while it is rotated: each of 8
            characters or more, and no well-known word.
        observers: What is told of each delivery; see `Observer`. It learns neither token nor body.

    Raises:
        ConfigurationError: There is no token, or one cannot be sent in a header or can be guessed. The
            message shows none.

    Evidence: ``Authorization: Bearer <token>`` published; the token alone observed.
    """

    __slots__ = ("_tokens", "_told")

    def __init__(self, tokens: str | Iterable[str], *, observers: Iterable[Observer] = ()) -> None:
        self._tokens: tuple[Secret[bytes], ...] = ()
        checked = checked_tokens(tokens)
        del tokens
        if isinstance(checked, str):
            raise ConfigurationError(checked)
        self._tokens = checked
        self._told = Audience(checked_observers(observers))
        structures()

    def __repr__(self) -> str:
        return f"<WebhookReceiver of {len(self._tokens)} token{'s' if len(self._tokens) > 1 else ''}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a WebhookReceiver cannot be pickled, since its tokens would be readable; build one there"
        )

    @overload
    def receive(self, headers: DeliveryHeaders, body: bytes | bytearray | memoryview) -> Event: ...

    @overload
    def receive(
        self, headers: DeliveryHeaders, body: bytes | bytearray | memoryview, *, seen: Callable[[str], bool]
    ) -> Event | None: ...

    def receive(
        self,
        headers: DeliveryHeaders,
        body: bytes | bytearray | memoryview,
        *,
        seen: Callable[[str], bool] | None = None,
    ) -> Event | None:
        """Return the event of a delivery; answer 200 once it is handled.

        Args:
            headers: The request's headers, a mapping of text or bytes in any letter case.
            body: The request's body, as it came.
            seen: Asked with the event's `dedupe_key` whether it was handled before; if so, the answer is
                None, and the delivery is to be acknowledged and dropped. It must only look: what is marked
                here and lost in a crash is never delivered again. See `SeenWebhooks`.

        Raises:
            WebhookAuthenticationError: The delivery does not carry the token: answer 401. The body was not
                looked at.
            WebhookPayloadError: It is authentic, and no event: answer 400. Over 1 MiB, not JSON, not an
                object, nested more than 32 deep, more than 2 000 values, a field twice, a number of more
                than 30 digits, or an id, a reference, a status, a type or an amount of a wrong type. A time
                or a description that cannot be read is None, and in `raw`.
            ConfigurationError: `body` is no bytes, or `headers` no mapping: a mistake in the calling code.
        """
        # Error trackers show what this frame holds when it raises: nothing of the delivery then.
        received: _Received | BaseException
        webhook = ObservedWebhook() if self._told.webhook_received else None
        try:
            received = _received(headers, body, self._tokens)
        except BaseException as interrupt:  # noqa: BLE001 - it is raised below
            received = _bare(interrupt)
        del headers, body
        handled, is_repeated = sys.exception(), False
        try:
            if isinstance(received, BaseException):
                raise received
            is_repeated = seen is not None and bool(seen(received().dedupe_key))
            return None if is_repeated else received()
        finally:
            if webhook is not None:
                _note(webhook, received)
                raised = sys.exception()
                # Not what the caller was handling when it asked.
                webhook.error = None if raised is handled else raised
                webhook.repeated = is_repeated
                del raised
                webhook.end()
                tell(self._told.webhook_received, webhook)
            del handled


_Received = Callable[[], Event]
"""An event in the closure of a function, where no walk over a frame's locals comes."""


def _received(headers: Any, body: Any, tokens: tuple[Secret[bytes], ...]) -> _Received | PlexyPayError:
    """Return the event of a delivery, or what is wrong with it."""
    try:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise ConfigurationError(
                f"body: expected the request's raw bytes, got {type(body).__name__}; what a framework has "
                "decoded or parsed is not what was sent"
            )
        if not is_one_of(token_in(headers), tokens):
            raise WebhookAuthenticationError("the Authorization header does not carry an expected token")
        event = event_of(document_of(cast("bytes", body)))
    except (ConfigurationError, WebhookError) as error:
        return _bare(error)
    except Exception as error:  # noqa: BLE001 - of an object of the caller's, and it may show what it holds
        return ConfigurationError(f"reading the headers or the body failed with {type(error).__name__}")
    return lambda: event


def _note(webhook: ObservedWebhook, received: _Received | BaseException) -> None:
    """Note what a delivery says and what it is about, if it is one."""
    if isinstance(received, BaseException):
        return
    event = received()
    webhook.event = shortened(masked_card_numbers(event.name), LONGEST_NAME)
    webhook.is_known = not isinstance(event, UnknownEvent)
    if isinstance(event, TransactionEvent):
        webhook.transaction_id = event.transaction.id
        webhook.order_reference = told_reference(event.transaction.order_reference)


def _bare(error: _Error) -> _Error:
    """Take the frames away that an error has come through, and the errors that it came of."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
