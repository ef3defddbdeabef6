"""The errors that answers of the API stand for, and how they are told from those of something in between."""

from __future__ import annotations

from typing import Any, cast

from ..api.description import ErrorForm
from ..errors import (
    APIError,
    AuthenticationError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
)
from .messages import SHOWN, WireResponse, hidden_id, id_in, read_json, text_in, unreadable

__all__ = [
    "LARGEST_ERROR",
    "LONGEST_MESSAGE",
    "code_in",
    "code_of",
    "error_of",
    "hidden_text",
    "is_error_object",
    "is_of_the_api",
    "is_typed",
    "message_in",
    "no_answer",
    "part_of",
    "refuses",
    "refuses_work",
]

LARGEST_ERROR = 2**16
"""Bytes of an answer that is no success beyond which it is no error of the API's, and is not read."""
LONGEST_MESSAGE = 2000
"""How many characters of a server's message an error carries."""
BAD_REQUEST, SERVER_ERROR = 400, 500
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


def part_of(document: dict[str, Any], form: ErrorForm) -> dict[str, Any]:
    """Return the object of an answer in which the error stands, if one does: one inside, or the whole."""
    inner: Any = None if form.inside is None else document.get(form.inside)
    return cast("dict[str, Any]", inner) if type(inner) is dict else document


def code_in(part: dict[str, Any], form: ErrorForm) -> int | str | None:
    """Return the code that an error tells; None where it tells none."""
    value = next((part[name] for name in form.code if part.get(name) is not None), None)
    if form.numbered:
        return code_of(value)
    return value if type(value) is int or (type(value) is str and value) else None


def is_typed(document: dict[str, Any], form: ErrorForm) -> bool:
    """Tell whether an answer has one of the published types of errors."""
    return _type_in(part_of(document, form)) in form.types


def message_in(part: dict[str, Any], form: ErrorForm) -> str | None:
    """Return the message that an error tells; None where it tells none."""
    return next((part[name] for name in form.message if type(part.get(name)) is str and part[name]), None)


def _type_in(part: dict[str, Any]) -> str | None:
    return _optional_text(part.get("type"))


def error_of(response: WireResponse, what: str, form: ErrorForm, *, shown: bool = True) -> APIError:
    """Return the error that an answer which is no 2xx stands for.

    By the body's code where there is one, else by its type, else by the status; 401, 403 and 429 go by the
    status, but for what is said of an idempotency key. Only a code says that nothing was done: a 503 without
    one may be of a gateway that had handed the work on. Beside ``success: false`` a code without a type of
    the API's is a payment's, such as an acquirer's ``"01"``: it refuses under a 4xx, and under a 5xx nobody
    knows what became of the work. Unless `shown`, it holds nothing of the body but its message and codes.
    """
    body: Any = None
    if len(response.body) <= LARGEST_ERROR:
        try:
            body = read_json(response.body)
        except ValueError:
            body = None
    fields = cast("dict[str, Any]", body) if type(body) is dict else {}
    part = part_of(fields, form)
    code, told_type = code_in(part, form), _type_in(part)
    typed = told_type in form.types
    message = message_in(part, form)
    status = response.status
    kind = _class_of(code, told_type, status, form)
    refused = form.flagged and fields.get("success") is False
    named = id_in(fields) if refused else None
    is_done_of = refused and (named is not None or not typed or kind is not ServiceUnavailableError)
    # What the API calls the request's fault has no 5xx, and an acquirer's "01" or "05" is none of its codes.
    if status >= SERVER_ERROR and (is_done_of or (form.counts_statuses and kind is not IdempotencyError)):
        kind = SomethingWentWrongError
    if message is None:
        described = response.beginning.strip()[:120] if shown else "[hidden]" * bool(response.body)
        message = f"no message; the body begins: {described!r}" if described else "no message, empty body"
    source = _optional_text(fields.get("source"))
    error = kind(
        response.hidden(message)[:LONGEST_MESSAGE],
        status=status,
        code=response.hidden(code)[:SHOWN] if isinstance(code, str) else code,
        source=source and response.hidden(source)[:SHOWN],
        type=told_type and response.hidden(told_type)[:SHOWN],
        retry_after=response.retry_after,
        operation=what,
    )
    if form.counts_statuses:
        error.counts_as = status
    error.is_typed, error.is_anyones = typed, not form.published
    error.raw = response.hidden_in(body) if shown and body is not None else None
    error.param = hidden_text(part, form.parameter, response)
    error.request_id = hidden_text(part, form.request_id, response)
    error.transaction_id = hidden_id(response, fields) if refused else None
    # With this code nobody knows what became of it, whatever else is said.
    is_open = code is not None and code == form.unexpected
    if refused and not typed and BAD_REQUEST <= status < SERVER_ERROR and not is_open:
        error.declines = (code is not None and code != status) or _shows_payment(fields, status, form)
    elif _declines(part, form) and BAD_REQUEST <= status < SERVER_ERROR:
        error.declines = True
    return error


def _class_of(code: int | str | None, told_type: str | None, status: int, form: ErrorForm) -> type[APIError]:
    """Return the class that a code, a type and a status stand for, whatever else an answer says."""
    told = None if code is None else form.class_of(code)
    if told is None and told_type is not None:
        told = form.classes_of_types.get(told_type)
    if told is None and (code is not None or told_type in form.types):
        told = form.classes_of_statuses.get(status)
    # What the first request of a key does is not known, under whatever status that is said.
    kind = told if told is IdempotencyError else _STATUS_ALONE.get(status, told)
    if kind is None:
        kind = _BY_STATUS.get(status)
    return kind or (SomethingWentWrongError if status >= SERVER_ERROR else APIError)


def hidden_text(part: dict[str, Any], name: str | None, response: WireResponse) -> str | None:
    """Return a text of an error, without the API key and card numbers; None where there is none."""
    text = None if name is None else _optional_text(part.get(name))
    return None if text is None else response.hidden(text)[:SHOWN]


def refuses_work(document: dict[str, Any], form: ErrorForm) -> bool:
    """Tell whether an answer says that the work was refused, as a decline does.

    With the code of an unexpected error nobody knows what became of it, whatever else is said.
    """
    part = part_of(document, form)
    if form.flagged and document.get("success") is False:
        code = code_in(part, form)
        return code is None or code != form.unexpected
    return _declines(part, form)


def _declines(part: dict[str, Any], form: ErrorForm) -> bool:
    """Tell whether an error is of a payment that was declined: by its type, or by its code without one."""
    told = _type_in(part)
    return told in form.declining or (told not in form.types and code_in(part, form) in form.declining)


def _shows_payment(fields: dict[str, Any], status: int, form: ErrorForm) -> bool:
    """Tell whether a body is of a payment, and not of something in between, by its names.

    A gateway that ran out of time may give an id of its own, and so may one that takes no request.
    """
    if any(text_in(fields, name) is not None for name in form.of_a_payment):
        return True
    return status not in _GIVEN_IN_BETWEEN and text_in(fields, "id") is not None


def is_of_the_api(error: APIError) -> bool:
    """Tell whether an answer has the API's own error body, and not that of something in between.

    Its sign is a code, or one of the published types. A code that is the HTTP status is a gateway's habit,
    and where no form is published any code may be a gateway's.
    """
    return error.is_typed or (error.code is not None and error.code != error.status and not error.is_anyones)


def is_error_object(document: dict[str, Any], form: ErrorForm) -> bool:
    """Tell whether an object of JSON is the API's own error, whatever the status it came with."""
    part = part_of(document, form)
    has_code = any(part.get(name) is not None for name in form.code)
    return has_code and (part is not document or _type_in(part) in form.types)


def no_answer(
    response: WireResponse,
    what: str,
    document: dict[str, Any],
    form: ErrorForm,
    *,
    shown: bool,
    outcome: Outcome,
) -> UnreadableResponseError:
    """Return the error of a success status with the API's error object, which it names."""
    part = part_of(document, form)
    message = message_in(part, form)
    told = response.hidden(message)[:SHOWN] if message is not None else "no message"
    code = response.hidden(str(next(part[name] for name in form.code if part.get(name) is not None)))[:SHOWN]
    return unreadable(
        response,
        f"{what}: the answer is an error of the API's, code {code}: {told}",
        shown=shown,
        outcome=outcome,
        raw=document,
    )


def refuses(document: Any, form: ErrorForm) -> bool:
    """Tell whether the JSON of an answer is the API's own error object, by which nothing was done."""
    fields = cast("dict[str, Any]", document) if type(document) is dict else {}
    code = code_in(part_of(fields, form), form)
    kind = None if code is None else form.class_of(code)
    return is_typed(fields, form) and kind is not None and kind.default_outcome is Outcome.REJECTED


def code_of(value: Any) -> int | None:
    """Read an error code in any of its published spellings: ``1``, ``"1"``, ``"0001"``; None for others."""
    if type(value) is int:
        return value
    if type(value) is str and value.strip().isascii() and value.strip().isdigit() and len(value) <= 20:
        return int(value)
    return None


def _optional_text(value: Any) -> str | None:
    return value if type(value) is str else None
