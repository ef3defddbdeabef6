"""The Checkout API: the server's part of the flows of the client SDKs; v2."""

from __future__ import annotations

from ..api.description import API, ClientParameter, ErrorForm
from ..errors import (
    APIError,
    AuthenticationError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    UnprocessableError,
)

__all__ = ["CHECKOUT"]

_OF_THE_CARD = frozenset(
    {"card_declined", "expired_card", "incorrect_cvc", "incorrect_number", "insufficient_funds"}
)
_BY_CODE: dict[int | str, type[APIError]] = {
    "parameter_missing": InvalidRequestError,
    "parameter_invalid": InvalidRequestError,
    "parameter_unknown": InvalidRequestError,
    "resource_missing": NotFoundError,
    "idempotency_error": IdempotencyError,
    "idempotency_key_in_use": IdempotencyError,
    "api_key_invalid": AuthenticationError,
    "api_key_expired": AuthenticationError,
    "api_key_revoked": AuthenticationError,
    **dict.fromkeys(_OF_THE_CARD, UnprocessableError),
}

CHECKOUT = API(
    name="checkout",
    title="Plexy Checkout API",
    package=__name__.rpartition(".")[0],
    base_url="https://api.plexypay.com",
    base_url_variable="PLEXYPAY_CHECKOUT_BASE_URL",
    key_variable="PLEXYPAY_CHECKOUT_API_KEY",
    key_header="x-api-key",
    root="/v2",
    errors=ErrorForm(
        inside="error",
        code=("code", "errorCode"),
        message=("message",),
        parameter="param",
        request_id="request_id",
        types=frozenset(
            {
                *("api_error", "invalid_request_error", "authentication_error", "card_error"),
                "idempotency_error",
            }
        ),
        class_of=_BY_CODE.get,
        classes_of_types={"idempotency_error": IdempotencyError, "card_error": UnprocessableError},
        classes_of_statuses={409: IdempotencyError},
        declining=_OF_THE_CARD | {"card_error"},
        refusal_codes=("code", "errorCode"),
        schema={
            "type": "object",
            "properties": {
                "error": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string"},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                        "param": {"type": ["string", "null"]},
                        "request_id": {"type": "string"},
                    },
                    "additionalProperties": True,
                },
                "errorCode": {"type": "string"},
                "message": {"type": "string"},
                "refusalReason": {"type": "string"},
            },
            "additionalProperties": True,
        },
    ),
    repeated=frozenset({500, 502, 503, 504}),
    # How its own keys begin is not published; those of payments must not go out in clear text here either.
    live_keys="pr_",
    parameters=(ClientParameter("merchant_account", "PLEXYPAY_MERCHANT_ACCOUNT", required=False),),
)
"""Evidence: address, header, the object ``error`` with its types and codes, that a 409 is of an idempotency
key, and the statuses after which a request may be repeated are published; ``errorCode`` is read by the
vendor's own code."""
