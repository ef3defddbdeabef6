"""The receiver of webhooks that carry a token, as those of the Pay API do.

Evidence: ``Authorization: Bearer <token>`` is published; the token without the scheme is observed. There is
no signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._privacy.secret import Secret
from ..errors import ConfigurationError, WebhookAuthenticationError
from ..observer import ObservedWebhook, Observer, told_reference
from .events import Event, TransactionEvent, UnknownEvent, event_of, structures
from .payloads import document_of
from .receiving import Receiver
from .tokens import checked_tokens, is_one_of, token_in

__all__ = ["WebhookReceiver"]


class WebhookReceiver(Receiver[Event]):
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

    __slots__ = ("_tokens",)
    _secrets = "tokens"

    def __init__(self, tokens: str | Iterable[str], *, observers: Iterable[Observer] = ()) -> None:
        self._tokens: tuple[Secret[bytes], ...] = ()
        checked = checked_tokens(tokens)
        del tokens
        if isinstance(checked, str):
            raise ConfigurationError(checked)
        self._tokens = checked
        super().__init__(observers)
        structures()

    def __repr__(self) -> str:
        return f"<WebhookReceiver of {len(self._tokens)} token{'s' if len(self._tokens) > 1 else ''}>"

    def _authenticate(self, headers: Any, body: bytes | bytearray | memoryview) -> None:
        if not is_one_of(token_in(headers), self._tokens):
            raise WebhookAuthenticationError("the Authorization header does not carry an expected token")

    def _read(self, body: bytes | bytearray | memoryview) -> Event:
        return event_of(document_of(body))

    def _key(self, event: Event) -> str:
        return event.dedupe_key

    def _describe(self, event: Event, webhook: ObservedWebhook) -> str:
        webhook.is_known = not isinstance(event, UnknownEvent)
        if isinstance(event, TransactionEvent):
            webhook.transaction_id = event.transaction.id
            webhook.order_reference = told_reference(event.transaction.order_reference)
        return event.name
