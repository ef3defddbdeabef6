"""How each API writes a refusal: handlers and faults of the sandbox know the Pay API's form alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from .exchange import ApiResponse, OwnRefusal, Refusal
from .state.issuer import ResponseCode

__all__ = ["declined", "written_for"]


def written_for(api: str, refusal: Refusal | ApiResponse) -> ApiResponse:
    """Return a refusal, or the answer of a fault, as an API of this name writes it."""
    if isinstance(refusal, OwnRefusal):
        return refusal.response
    response = refusal.response if isinstance(refusal, Refusal) else refusal
    write = _FORMS.get(api)
    if write is None:
        return response
    return ApiResponse(response.status, write(response.status, response.document["message"]))


def declined(api: str, status: int, document: Mapping[str, Any]) -> Any:
    """Return what an API answers under `status` where a document refuses a payment; None where it does not.

    The Pay API's refusal stays as it is. Evidence: assumed; the Checkout API's error of a card is published.
    """
    if api == "checkout":
        if document.get("resultCode") != "Refused":
            return None
        code = _DECLINES.get(document["refusalReasonCode"], "card_declined")
        return _checkout_error("card_error", code, document["refusalReason"], status)
    return document if document.get("success") is False else None


def _of_gate(status: int, message: str) -> dict[str, Any]:
    # No form is published; assumed.
    del status
    return {"message": message}


def _of_checkout(status: int, message: str) -> dict[str, Any]:
    kind, code = _CHECKOUT.get(status) or (
        ("api_error", "processing_error") if status >= 500 else ("invalid_request_error", "invalid_request")
    )
    if code == "parameter_invalid" and ": required" in message:
        code = "parameter_missing"
    return _checkout_error(kind, code, message, status)


def _checkout_error(kind: str, code: str, message: str, status: int) -> dict[str, Any]:
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

_DECLINES: Mapping[str, str] = {
    ResponseCode.INVALID_NUMBER: "incorrect_number",
    ResponseCode.INSUFFICIENT_FUNDS: "insufficient_funds",
    ResponseCode.EXPIRED: "expired_card",
    ResponseCode.CVV_FAILED: "incorrect_cvc",
}
"""Evidence: the codes are published."""

_FORMS: Mapping[str, Callable[[int, str], dict[str, Any]]] = {"gate": _of_gate, "checkout": _of_checkout}
