"""What the groups of the Checkout API have in common: whose request it is, and that a key is used once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson

from ...checkout_messages import CheckoutFields
from ...exchange import ApiRequest, ApiResponse, Refusal
from ...state.checkout import SOURCE, CheckoutState
from ...state.checkout_sessions import StoredIdempotencyKey
from ..group import GroupHandlers

__all__ = ["CheckoutHandlers"]

_KEY = "Idempotency-Key"
_LONGEST_KEY = 255
_OTHER_PARAMETERS = "Keys for different request parameters must be unique."
"""Evidence: published."""


class CheckoutHandlers(GroupHandlers):
    """The handlers of one group of the Checkout API."""

    source = SOURCE
    noun = "resource"

    @property
    def _checkout(self) -> CheckoutState:
        return self._state.checkout

    def _fields(self, request: ApiRequest) -> tuple[CheckoutFields, str]:
        """Return the fields of a body, and the merchant account that each must name."""
        fields = CheckoutFields(request.body, source=self.source)
        return fields, fields.required_text("merchantAccount")

    def _once(
        self, operation: str, request: ApiRequest, work: Callable[[CheckoutFields, str], ApiResponse]
    ) -> ApiResponse:
        """Do something once for each key; what is refused does not use a key up.

        Evidence: the header, its length, the 24 hours and the 409 are published. That a key may be left out,
        and that keys of all operations are kept together, is assumed.
        """
        fields, merchant_account = self._fields(request)
        key = request.headers.get(_KEY)
        if key is None:
            return work(fields, merchant_account)
        if not 0 < len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise self._refusal(3, f"{_KEY}: expected 1 to {_LONGEST_KEY} characters of printable ASCII")
        keys = self._checkout.keys
        # Of a card and its code, or a token of a wallet's, nothing is kept.
        body = hashlib.sha256(fields.canonical().encode()).hexdigest()
        known = keys.known(key)
        if known is not None:
            if (known.operation, known.request) != (operation, body):
                raise Refusal(5, _OTHER_PARAMETERS, source=self.source, status=409)
            return ApiResponse(known.status, orjson.loads(known.answer))
        with keys.atomically():
            response = work(fields, merchant_account)
            keys.keep(
                StoredIdempotencyKey(
                    id=key,
                    operation=operation,
                    request=body,
                    status=response.status,
                    answer=orjson.dumps(response.document).decode(),
                    created_at=keys.clock.microseconds(),
                )
            )
        return response
