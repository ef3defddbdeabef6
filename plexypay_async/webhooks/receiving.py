"""What every receiver of webhooks does: it proves a delivery's sender, then reads its event.

What proves a sender, and which events there are, is a class' own. No I/O and no framework.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Generic, NoReturn, Protocol, TypeVar, cast, overload

from .._privacy.hiding import masked_card_numbers, shortened
from ..errors import ConfigurationError, PlexyPayError, WebhookError
from ..observer import Audience, ObservedWebhook, Observer, checked_observers, tell

__all__ = ["DeliveryHeaders", "Receiver"]

LONGEST_NAME = 100
"""Characters of an event's name that observers are told."""

E = TypeVar("E")
_Error = TypeVar("_Error", bound=BaseException)


class DeliveryHeaders(Protocol):
    """What has headers as pairs: a mapping, or a framework's own kind of one."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return the names and values."""
        ...


class Receiver(Generic[E]):
    """Authenticates deliveries and reads their events; thread-safe, and without any I/O.

    Neither an error of its own nor any frame of its tracebacks holds a secret, headers or a body.
    """

    __slots__ = ("_told",)

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._told = Audience(checked_observers(observers))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled, since its {self._secrets} would be readable; "
            "build one there"
        )

    _secrets = "secrets"
    """What it holds, in a word."""

    def _authenticate(self, headers: Any, body: bytes | bytearray | memoryview) -> None:
        """Refuse what its sender is not proved of.

        Raises:
            WebhookAuthenticationError: It is not.
        """
        raise NotImplementedError

    def _read(self, body: bytes | bytearray | memoryview) -> E:
        """Return the event of an authentic delivery.

        Raises:
            WebhookPayloadError: It has none.
        """
        raise NotImplementedError

    def _key(self, event: E) -> str:
        """Return what all deliveries of the same event share."""
        raise NotImplementedError

    def _describe(self, event: E, webhook: ObservedWebhook) -> str:
        """Note what an event is about, and return its name."""
        raise NotImplementedError

    @overload
    def receive(self, headers: DeliveryHeaders, body: bytes | bytearray | memoryview) -> E: ...

    @overload
    def receive(
        self, headers: DeliveryHeaders, body: bytes | bytearray | memoryview, *, seen: Callable[[str], bool]
    ) -> E | None: ...

    def receive(
        self,
        headers: DeliveryHeaders,
        body: bytes | bytearray | memoryview,
        *,
        seen: Callable[[str], bool] | None = None,
    ) -> E | None:
        """Return the event of a delivery; answer 200 once it is handled.

        Args:
            headers: The request's headers, a mapping of text or bytes in any letter case.
            body: The request's body, as it came.
            seen: Asked with the event's `dedupe_key` whether it was handled before; if so, the answer is
                None, and the delivery is to be acknowledged and dropped. It must only look: what is marked
                here and lost in a crash is never delivered again. See `SeenWebhooks`.

        Raises:
            WebhookAuthenticationError: The delivery does not carry what proves its sender: answer 401. The
                body was not looked at.
            WebhookPayloadError: It is authentic, and no event: answer 400. Over 1 MiB, not JSON, not an
                object, nested more than 32 deep, more than 2 000 values, a field twice, a number of more
                than 30 digits, or an id, a reference, a status, a type or an amount of a wrong type. A time
                or a description that cannot be read is None, and in `raw`.
            ConfigurationError: `body` is no bytes, or `headers` no mapping: a mistake in the calling code.
        """
        # Error trackers show what this frame holds when it raises: nothing of the delivery then.
        received: Callable[[], E] | BaseException
        webhook = ObservedWebhook() if self._told.webhook_received else None
        try:
            received = self._received(headers, body)
        except BaseException as interrupt:  # noqa: BLE001 - it is raised below
            received = _bare(interrupt)
        del headers, body
        handled, is_repeated = sys.exception(), False
        try:
            if isinstance(received, BaseException):
                raise received
            is_repeated = seen is not None and bool(seen(self._key(received())))
            return None if is_repeated else received()
        finally:
            if webhook is not None:
                if not isinstance(received, BaseException):
                    name = self._describe(received(), webhook)
                    webhook.event = shortened(masked_card_numbers(name), LONGEST_NAME)
                raised = sys.exception()
                # Not what the caller was handling when it asked.
                webhook.error = None if raised is handled else raised
                webhook.repeated = is_repeated
                del raised
                webhook.end()
                tell(self._told.webhook_received, webhook)
            del handled

    def _received(self, headers: Any, body: Any) -> Callable[[], E] | PlexyPayError:
        """Return the event of a delivery, or what is wrong with it.

        The event is in the closure of a function, where no walk over a frame's locals comes.
        """
        try:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise ConfigurationError(
                    f"body: expected the request's raw bytes, got {type(body).__name__}; what a framework "
                    "has decoded or parsed is not what was sent"
                )
            given = cast("bytes", body)
            self._authenticate(headers, given)
            event = self._read(given)
        except (ConfigurationError, WebhookError) as error:
            return _bare(error)
        except Exception as error:  # noqa: BLE001 - of an object of the caller's, and it may show what it holds
            return ConfigurationError(f"reading the headers or the body failed with {type(error).__name__}")
        return lambda: event


def _bare(error: _Error) -> _Error:
    """Take the frames away that an error has come through, and the errors that it came of."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
