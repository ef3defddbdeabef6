"""The types of what the tests use of aioresponses, which has them only in part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from re import Pattern
from typing import Any, Protocol

from yarl import URL


class Method(Protocol):
    """Sets an answer up for one HTTP method."""

    def __call__(
        self,
        url: str | URL | Pattern[str],
        *,
        status: int = 200,
        body: str | bytes = "",
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        callback: Callable[..., Any] | None = None,
        repeat: bool = False,
    ) -> None:
        """Set the answer up."""
        ...


class MockedHTTP(Protocol):
    """The fixture `mocked_http`, as the tests here use it."""

    get: Method
    post: Method
    put: Method
    delete: Method
    requests: dict[tuple[str, URL], list[Any]]
    """The calls made, by method and URL."""
