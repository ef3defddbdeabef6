"""The groups whose bodies are not known: the sandbox keeps what is posted, and shows it again.

Evidence: their paths are assumed, and of their bodies nothing is known; so nothing in a body is checked but
that it is an object of JSON. What is created gets an ``id``, a UUID; a ``PUT`` replaces all but that; what
moves money says ``success: true`` and moves none. Only an id that is not known is refused, with code 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..exchange import ApiRequest, ApiResponse, read_document
from .group import GroupHandlers

__all__ = ["RecordHandlers"]


class RecordHandlers(GroupHandlers):
    """The operations on the records of one kind."""

    kind: ClassVar[str]
    """What the database calls them."""

    def create(self, request: ApiRequest) -> ApiResponse:
        """Keep a new record."""
        return self._keep(self.kind, request, 201)

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the records, the newest first."""
        page = self._page(request)
        return page.response(*self._state.records.page(self.kind, page.offset, page.size))

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one record."""
        return self._found(self._state.records.find(self.kind, request.path["id"]))

    def update(self, request: ApiRequest) -> ApiResponse:
        """Replace all of a record but its id."""
        return self._found(self._state.records.replace(self.kind, request.path["id"], self._posted(request)))

    def delete(self, request: ApiRequest) -> ApiResponse:
        """Forget a record."""
        if not self._state.records.delete(self.kind, request.path["id"]):
            raise self._not_found()
        return ApiResponse(200, {})

    def _keep(self, kind: str, request: ApiRequest, status: int, **more: Any) -> ApiResponse:
        return ApiResponse(status, self._state.records.create(kind, {**self._posted(request), **more}))

    def _posted(self, request: ApiRequest) -> dict[str, Any]:
        return read_document(request.body or b"{}", source=self.source)

    def _found(self, document: Mapping[str, Any] | None) -> ApiResponse:
        if document is None:
            raise self._not_found()
        return ApiResponse(200, document)
