"""What the handlers of the API's groups have in common, and how they are found for declarations."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, TypeVar

import attrs

from ...api.operation import Declaration
from ...pay.description import PAY
from ..exchange import ApiRequest, ApiResponse, PageQuery, Refusal, json_text, read_document
from ..state.state import SandboxState

__all__ = ["GroupHandlers", "RecordHandlers", "find_handlers", "name_in_sandbox"]

T = TypeVar("T")


@attrs.define
class GroupHandlers:
    """The handlers of one API group: for each of its declarations a method of the same name.

    Those of the group ``payment_links`` are the class ``PaymentLinksHandlers`` of the module
    ``payment_links`` in this package; those of other APIs than the Pay API are in a package with the API's
    name, or in a module with it, such as ``gate``. A method takes an `ApiRequest` and returns an
    `ApiResponse`, or raises a `Refusal`.
    """

    source: ClassVar[str]
    """The ``source`` of the group's errors."""
    noun: ClassVar[str]
    """What error messages call a record that is not found."""

    _state: SandboxState
    _base_url: str
    """The sandbox's own address."""
    _max_page_size: int
    """The largest `size` of a listing's page; a larger one is taken as this."""

    def _page(self, request: ApiRequest) -> PageQuery:
        return PageQuery.read(request.query, most=self._max_page_size, source=self.source)

    def _found(self, row: T | None, noun: str | None = None) -> T:
        if row is None:
            raise self._refusal(4, f"{noun or self.noun} not found")
        return row

    def _refusal(self, code: int, message: str) -> Refusal:
        return Refusal(code, message, source=self.source)


class RecordHandlers(GroupHandlers):
    """The operations of a group of whose bodies nothing is known: what is posted is kept, and shown again.

    Evidence: the paths are assumed, the bodies are not known. So nothing in a body is checked but that it is
    an object of JSON. What is created gets an ``id``, a UUID; a ``PUT`` replaces all but that; what moves
    money says ``success: true`` and moves none. Only an unknown id is refused, with code 4.
    """

    kind: ClassVar[str]
    """What the database calls them."""

    def create(self, request: ApiRequest) -> ApiResponse:
        """Keep a new record."""
        return self._keep(self.kind, request, 201)

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the records, the newest first."""
        return self._page(request).response(partial(self._state.records.page, self.kind))

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one record."""
        record = self._state.records.find(self.kind, request.path["id"])
        return ApiResponse(200, self._found(record))

    def update(self, request: ApiRequest) -> ApiResponse:
        """Replace all of a record but its id."""
        record = self._state.records.replace(self.kind, request.path["id"], self._posted(request))
        return ApiResponse(200, self._found(record))

    def delete(self, request: ApiRequest) -> ApiResponse:
        """Forget a record."""
        self._found(self._state.records.delete(self.kind, request.path["id"]) or None)
        return ApiResponse(200, {})

    def _keep(self, kind: str, request: ApiRequest, status: int, **more: Any) -> ApiResponse:
        return ApiResponse(status, self._state.records.create(kind, {**self._posted(request), **more}))

    def _posted(self, request: ApiRequest) -> dict[str, Any]:
        document = read_document(request.body or b"{}", source=self.source)
        json_text(document, name="body", source=self.source)  # what cannot be written is not kept
        return document


def find_handlers(declared: Iterable[Declaration[...]]) -> list[tuple[Declaration[...], type[GroupHandlers]]]:
    """Return each declaration with the class that handles it.

    Raises:
        NotImplementedError: Some declarations have no handler; the message has their full names.
    """
    found = [(declaration, _handlers_of(declaration)) for declaration in declared]
    missing = [name_in_sandbox(declaration) for declaration, handlers in found if handlers is None]
    if missing:
        raise NotImplementedError(f"the sandbox has no handler for {', '.join(missing)}")
    return [(declaration, handlers) for declaration, handlers in found if handlers is not None]


def _handlers_of(declaration: Declaration[...]) -> type[GroupHandlers] | None:
    group, _, operation = declaration.name.partition(".")
    places = [group] if declaration.api is PAY else [f"{declaration.api.name}.{group}", declaration.api.name]
    for place in places:
        handlers: Any = getattr(_module(place), f"{group.title().replace('_', '')}Handlers", None)
        if callable(getattr(handlers, operation, None)):
            return handlers  # type: ignore[no-any-return]
    return None


def _module(place: str) -> Any:
    name = f"{__package__}.{place}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        return None


def name_in_sandbox(declaration: Declaration[...]) -> str:
    """Return what an operation is called where those of all APIs are: the Pay API's by its name alone."""
    api = declaration.api
    return declaration.name if api is PAY else f"{api.name}.{declaration.name}"
