"""How each API writes a refusal: handlers and faults of the sandbox know the Pay API's form alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from .exchange import ApiResponse, OwnRefusal, Refusal

__all__ = ["written_for"]


def written_for(api: str, refusal: Refusal | ApiResponse) -> ApiResponse:
    """Return a refusal, or the answer of a fault, as an API of this name writes it."""
    if isinstance(refusal, OwnRefusal):
        return refusal.response
    response = refusal.response if isinstance(refusal, Refusal) else refusal
    write = _FORMS.get(api)
    if write is None:
        return response
    return ApiResponse(response.status, write(response.status, response.document["message"]))


def _of_gate(status: int, message: str) -> dict[str, Any]:
    # No form is published; assumed.
    del status
    return {"message": message}


def _of_checkout(status: int, message: str) -> dict[str, Any]:
    kind, code = _CHECKOUT.get(status) or (
        ("api_error", "processing_error") if status >= 500 else ("invalid_request_error", "invalid_request")
    )
    error = {
        "type": kind,
        "code": code,
        "message": message,
        # Messages about a field begin with its name.
        "param": message.partition(":")[0] if ": " in message and status in (400, 422) else None,
        "request_id": f"req_{secrets.token_hex(12)}",
    }
    return {"error": error}


_CHECKOUT: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "parameter_invalid"),
    401: ("authentication_error", "api_key_invalid"),
    402: ("card_error", "card_declined"),
    404: ("invalid_request_error", "resource_missing"),
    409: ("idempotency_error", "idempotency_key_in_use"),
    422: ("invalid_request_error", "parameter_invalid"),
}
"""Evidence: types and codes published; which code goes with which status assumed."""

_FORMS: Mapping[str, Callable[[int, str], dict[str, Any]]] = {"gate": _of_gate, "checkout": _of_checkout}
