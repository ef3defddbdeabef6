"""How a call was answered: the status, the headers and the id that the vendor's support asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

import attrs

from ._composed_docs import help_shows_fields
from ._privacy.hiding import masked_card_numbers, without_userinfo
from .json_form import JSONResult

__all__ = ["AnswerHeaders", "Answered", "request_id_in", "request_id_told"]

R = TypeVar("R")
T = TypeVar("T")

_NOT_KEPT = frozenset(
    ("set-cookie", "set-cookie2", "authorization", "proxy-authorization", "proxy-authenticate")
)
"""What may let somebody in, and says nothing of the answer."""
_REQUEST_IDS = (
    *("x-request-id", "request-id", "x-requestid", "x-correlation-id", "correlation-id", "x-trace-id"),
    *("x-amzn-requestid", "x-amzn-trace-id", "x-cloud-trace-context", "cf-ray", "traceparent"),
)
"""Names under which an id of a request is usual, the API's own before those of what is in between."""
_SHOWN = frozenset(
    (
        *_REQUEST_IDS,
        *("age", "cache-control", "connection", "content-encoding", "content-length", "content-type", "date"),
        *("keep-alive", "retry-after", "server", "transfer-encoding", "via", "x-cache", "x-powered-by"),
    )
)
LONGEST_VALUE, MOST = 2000, 100
"""Characters of a value, and headers, that are kept."""
_PLAIN_ID = re.compile("[!-~]{1,128}")
"""What an id is where it stands in a text: whoever is in between may have written it."""


class AnswerHeaders(Mapping[str, str]):
    """Headers by their names, whatever their case; `repr` shows the values of known ones alone.

    Cookies and credentials are not kept. Of a header that comes twice, the first is.
    """

    __slots__ = ("_values",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for name, value in headers.items():
            folded = name.lower()
            if folded not in _NOT_KEPT and folded not in self._values and len(self._values) < MOST:
                self._values[folded] = str(name), str(value)[:LONGEST_VALUE]

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        shown = {name: value if folded in _SHOWN else "..." for folded, (name, value) in self._values.items()}
        return f"<AnswerHeaders {shown}>"

    def __reduce__(self) -> tuple[type[AnswerHeaders], tuple[dict[str, str]]]:
        return AnswerHeaders, (dict(self._values.values()),)


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """Return the id that an answer gives its request, by the first of the usual names that it has."""
    return next((value for name in _REQUEST_IDS if (value := headers.get(name))), None)


def request_id_told(request_id: str | None) -> str:
    """Return how a message ends that names the id of a request; nothing where it is no short, plain word."""
    if request_id is None or _PLAIN_ID.fullmatch(request_id) is None:
        return ""
    is_shown = without_userinfo(masked_card_numbers(request_id)) == request_id
    return f", request id {request_id}" if is_shown else ""


@help_shows_fields
@attrs.frozen(kw_only=True)
class Answered(JSONResult, Generic[R]):
    """What a call returns by `with_response`: its result, and how that was answered.

    A result that was found by a look-up after its own answer was lost (`recovered`) has the look-up's answer.
    """

    value: R
    """What the call returns without it."""
    status: int
    """The HTTP status of the answer."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Its headers, by names in any case; cookies are not kept."""
    request_id: str | None
    """The id that the answer gives its request, by the usual headers: for the vendor's support."""
    elapsed: float | None
    """Seconds from the sending of the request until its answer had come."""
    attempts: int
    """How often the operation itself was sent."""
    recovered: bool
    """Whether a look-up has found it, after its own answer was lost."""

    def of(self, value: T, *, attempts: int, recovered: bool) -> Answered[T]:
        """Return the same for a result."""
        made: Any = self
        return cast("Answered[T]", attrs.evolve(made, value=value, attempts=attempts, recovered=recovered))
