"""What the handlers of an API group have in common, and how they are found for its declarations."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from ...api.operation import Declaration
from ..exchange import ApiRequest, PageQuery, Refusal
from ..state.state import SandboxState

__all__ = ["GroupHandlers", "find_handlers"]

T = TypeVar("T")


class GroupHandlers:
    """The handlers of one API group: for each of its declarations a method of the same name.

    Those of the group ``payment_links`` are the class ``PaymentLinksHandlers`` of the module
    ``payment_links`` in this package. A method takes an `ApiRequest` and returns an `ApiResponse`, or raises
    a `Refusal`.

    Args:
        state: What the sandbox knows.
        base_url: The sandbox's own address.
        max_page_size: What a listing's `size` is clamped to.
    """

    source: ClassVar[str]
    """What the group's errors name as their source."""
    noun: ClassVar[str]
    """What a message calls that which is not found."""

    def __init__(self, state: SandboxState, *, base_url: str, max_page_size: int) -> None:
        self._state = state
        self._base_url = base_url
        self._max_page_size = max_page_size

    def _page(self, request: ApiRequest) -> PageQuery:
        return PageQuery.read(request.query, most=self._max_page_size, source=self.source)

    def _found(self, row: T | None, noun: str | None = None) -> T:
        if row is None:
            raise self._refusal(4, f"{noun or self.noun} not found")
        return row

    def _refusal(self, code: int, message: str) -> Refusal:
        return Refusal(code, message, source=self.source)


def find_handlers(declared: Iterable[Declaration[...]]) -> list[tuple[Declaration[...], type[GroupHandlers]]]:
    """Return each declaration with the class that handles it.

    Raises:
        NotImplementedError: Some declarations have no handler; the message has their full names.
    """
    found: list[tuple[Declaration[...], type[GroupHandlers]]] = []
    missing: list[str] = []
    for declaration in declared:
        handlers = _handlers_of(declaration)
        if handlers is None:
            missing.append(declaration.name)
        else:
            found.append((declaration, handlers))
    if missing:
        raise NotImplementedError(f"the sandbox has no handler for {', '.join(missing)}")
    return found


def _handlers_of(declaration: Declaration[...]) -> type[GroupHandlers] | None:
    group, _, operation = declaration.name.partition(".")
    name = f"{__package__}.{group}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
    handlers: Any = getattr(module, f"{group.title().replace('_', '')}Handlers", None)
    return handlers if callable(getattr(handlers, operation, None)) else None
