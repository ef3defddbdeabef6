"""Requests by method and path, for what the library does not know yet: checked, encoded and called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from .._privacy.hiding import masked_card_numbers, shortened, shown
from .._wire.api_errors import is_error_object, no_answer
from .._wire.messages import (
    WireRequest,
    WireResponse,
    decode_json,
    encode_json,
    read_decimals,
    read_small,
    unreadable,
)
from .._wire.targets import query_of
from ..api.checks import check_json
from ..api.description import ErrorForm
from ..api.operation import Declaration, Evidence
from ..api.replay import Replay
from ..errors import ConfigurationError, Outcome
from ..network import checked_headers
from .call import Call
from .execution import Execution
from .telling_call import call_class

__all__ = ["raw_call"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_OUT_OF_A_PATH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


class _JSONDecoder:
    """Reads whatever JSON a raw request is answered with."""

    def __init__(self, name: str, form: ErrorForm, *, decimals: bool) -> None:
        self.name = name
        self._form = form
        self._decimals = decimals

    def decode(self, response: WireResponse) -> Any:
        outcome = Outcome.DONE if self.name.startswith("GET ") else Outcome.UNKNOWN
        value: Any = read_small(response.body, decode_json(response, self.name, outcome=outcome))
        document = cast("dict[str, Any]", value) if type(value) is dict else {}
        if is_error_object(document, self._form):
            raise no_answer(response, self.name, document, self._form, shown=True, outcome=outcome)
        if self._decimals and value is not None:
            try:
                return read_decimals(response.body)
            except ValueError:
                raise unreadable(response, f"{self.name}: nested too deep", outcome=outcome) from None
        return cast("Any", value)

    def proves(self, request: Any, answer: WireResponse) -> bool:
        """Tell that nobody knows what such an answer says."""
        return False

    def refusal(self, response: WireResponse) -> None:
        """Tell that nobody knows what refuses such a request."""


def raw_call(
    execution: Execution,
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    json: Any,
    headers: Mapping[str, str] | None,
    replay: Replay | None,
    *,
    decimals: bool = False,
) -> Call[Any]:
    """Return the call that a client's `request` performs.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    verb = str(method).upper()
    wire_request = raw_request(verb, path, params, json, headers, execution.settings.api.key_header)
    if type(decimals) is not bool:
        raise ConfigurationError(f"decimals: expected True or False, got {shown(decimals)}")
    if replay is None:
        replay = Replay.MONEY if verb == "POST" else Replay.SAFE
    if not isinstance(replay, Replay):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"replay: expected a Replay, got {type(replay).__name__}")
    declaration = Declaration[...](verb, "", dict, Evidence.PUBLISHED, replay)
    declaration.name = shortened(masked_card_numbers(f"{verb} {path}"), 300)
    declaration.api = api = execution.settings.api
    decoder = _JSONDecoder(declaration.name, api.errors, decimals=decimals)
    return call_class(execution)(execution, decoder, wire_request, declaration)


def raw_request(
    method: str,
    path: str,
    params: Mapping[str, Any] | None,
    json: Any,
    headers: Mapping[str, str] | None,
    key_header: str = "Authorization",
) -> WireRequest:
    """Check and encode a request given by method and path.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    if method not in METHODS:
        raise ConfigurationError(f"method: expected one of {', '.join(METHODS)}, got {shown(method)}")
    if json is not None and method == "GET":
        raise ConfigurationError("json: a GET carries no body")
    target = checked_path(path)
    if params is not None and not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"params: expected a mapping, got {type(params).__name__}")
    query = query_of(params) if params else ""
    if query:
        target = f"{target}{'&' if '?' in target else '?'}{query}"
    body = None
    if json is not None:
        check_json("json", json, decimals=True)
        body = encode_json(json, decimals=True)
    return WireRequest(method, target, body, checked_headers(headers, key_header=key_header))


def checked_path(path: Any) -> str:
    """Return a path, with a query or without, percent-encoded where the caller left that out.

    Raises:
        ConfigurationError: It is no path, or leads elsewhere than it seems to.
    """
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise ConfigurationError(f"path: expected a path such as /path/of/it, got {path!r:.60}")
    if _OUT_OF_A_PATH.search(path) is not None:
        raise ConfigurationError(f"path: {path!r:.60} has a backslash or a control character")
    # A server may decode a path before it takes it apart.
    segments = re.split("/|%2f|%5c", path.partition("?")[0], flags=re.IGNORECASE)
    dots = [re.sub("%2e", ".", segment.partition(";")[0], flags=re.IGNORECASE) for segment in segments]
    if "#" in path or "." in dots or ".." in dots:
        raise ConfigurationError(f"path: {path!r:.60} has a fragment or a dot segment")
    try:
        return quote(path, safe="/?%:@!$&'()*+,;=~-._")
    except UnicodeEncodeError:
        raise ConfigurationError("path: not valid Unicode text") from None
