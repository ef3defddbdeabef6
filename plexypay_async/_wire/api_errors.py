"""The errors that answers of the API stand for, and how they are told from those of something in between."""

from __future__ import annotations

from typing import Any, cast

from ..errors import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
    error_class_of,
)
from .messages import SHOWN, WireResponse, hidden_id, id_in, read_json, text_in, unreadable

__all__ = [
    "API_ERROR_TYPES",
    "LARGEST_ERROR",
    "LONGEST_MESSAGE",
    "UNEXPECTED",
    "code_of",
    "error_of",
    "is_error_object",
    "is_of_the_api",
    "no_answer",
    "refuses",
]

API_ERROR_TYPES = ("apiError", "validationError")
LARGEST_ERROR = 2**16
"""Bytes of an answer that is no success beyond which it is no error of the API's, and is not read."""
LONGEST_MESSAGE = 2000
"""How many characters of a server's message an error carries."""
BAD_REQUEST, SERVER_ERROR = 400, 500
UNEXPECTED = 2
"""The API's code for an error after which the work may have been done."""
_OF_A_PAYMENT = ("transactionId", "walletTransactionId", "responseCode")
_GIVEN_IN_BETWEEN = (401, 403, 408, 425, 499)
_BY_STATUS: dict[int, type[APIError]] = {
    400: InvalidRequestError,
    404: NotFoundError,
    422: UnprocessableError,
}
_STATUS_ALONE: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    429: RateLimitedError,
}


def error_of(response: WireResponse, what: str) -> APIError:
    """Return the error that an answer which is no 2xx stands for.

    By the body's code where there is one, in any of its published spellings (``1``, ``"1"``, ``"0001"``),
    else by the status; 401, 403 and 429 always go by the status. Only a code says code 1: a 503 without one
    may be of a gateway that had handed the work on. Beside ``success: false`` a code without a type of the
    API's is a payment's, such as an acquirer's ``"01"``: it refuses under a 4xx, and under a 5xx nobody
    knows what became of the work.
    """
    body: Any = None
    if len(response.body) <= LARGEST_ERROR:
        try:
            body = read_json(response.body)
        except ValueError:
            body = None
    fields = cast("dict[str, Any]", body) if type(body) is dict else {}
    code = code_of(fields.get("code"))
    message = fields.get("message")
    status = response.status
    kind = _STATUS_ALONE.get(status)
    if kind is None and code is not None:
        kind = error_class_of(code)
    if kind is None:
        kind = _BY_STATUS.get(status)
    if kind is None:
        kind = SomethingWentWrongError if status >= 500 else APIError
    refused = fields.get("success") is False
    named = id_in(fields) if refused else None
    is_typed = fields.get("type") in API_ERROR_TYPES
    if (
        refused
        and status >= 500
        and (named is not None or not is_typed or kind is not ServiceUnavailableError)
    ):
        # The code is that of a payment: an acquirer's "01" or "05" is none of the API's own.
        kind = SomethingWentWrongError
    if type(message) is not str or not message:
        described = response.beginning.strip()[:120]
        message = f"no message; the body begins: {described!r}" if described else "no message, empty body"
    source, origin = _optional_text(fields.get("source")), _optional_text(fields.get("type"))
    error = kind(
        response.hidden(message)[:LONGEST_MESSAGE],
        status=status,
        code=code,
        source=source and response.hidden(source)[:SHOWN],
        type=origin and response.hidden(origin)[:SHOWN],
        retry_after=response.retry_after,
        operation=what,
    )
    error.raw = None if body is None else response.hidden_in(body)
    error.transaction_id = hidden_id(response, fields) if refused else None
    # With code 2 nobody knows what became of it, whatever else is said.
    if refused and not is_typed and BAD_REQUEST <= status < SERVER_ERROR and code != UNEXPECTED:
        error.declines = (code is not None and code != status) or _shows_payment(fields, status)
    return error


def _shows_payment(fields: dict[str, Any], status: int) -> bool:
    """Tell whether a body is of a payment, and not of something in between, by its names.

    A gateway that ran out of time may give an id of its own, and so may one that takes no request.
    """
    if any(text_in(fields, name) is not None for name in _OF_A_PAYMENT):
        return True
    return status not in _GIVEN_IN_BETWEEN and text_in(fields, "id") is not None


def is_of_the_api(error: APIError) -> bool:
    """Tell whether an answer has the API's own error body, and not that of something in between.

    Its sign is a code, or one of the published types. A code that is the HTTP status is a gateway's habit.
    """
    return (error.code is not None and error.code != error.status) or error.type in API_ERROR_TYPES


def is_error_object(document: dict[str, Any]) -> bool:
    """Tell whether an object of JSON is the API's own error, whatever the status it came with."""
    return document.get("type") in API_ERROR_TYPES and document.get("code") is not None


def no_answer(
    response: WireResponse, what: str, document: dict[str, Any], *, shown: bool, outcome: Outcome
) -> UnreadableResponseError:
    """Return the error of a success status with the API's error object, which it names."""
    message = document.get("message")
    told = response.hidden(message)[:SHOWN] if type(message) is str and message else "no message"
    code = response.hidden(str(document["code"]))[:SHOWN]
    return unreadable(
        response,
        f"{what}: the answer is an error of the API's, code {code}: {told}",
        shown=shown,
        outcome=outcome,
        raw=document,
    )


def refuses(document: Any) -> bool:
    """Tell whether the JSON of an answer is the API's own error object, by which nothing was done."""
    fields = cast("dict[str, Any]", document) if type(document) is dict else {}
    code = code_of(fields.get("code"))
    kind = None if code is None else error_class_of(code)
    return (
        fields.get("type") in API_ERROR_TYPES
        and kind is not None
        and kind.default_outcome is Outcome.REJECTED
    )


def code_of(value: Any) -> int | None:
    """Read an error code in any of its published spellings: ``1``, ``"1"``, ``"0001"``; None for others."""
    if type(value) is int:
        return value
    if type(value) is str and value.strip().isascii() and value.strip().isdigit() and len(value) <= 20:
        return int(value)
    return None


def _optional_text(value: Any) -> str | None:
    return value if type(value) is str else None
