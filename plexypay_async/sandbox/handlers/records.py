"""The groups whose bodies are not known: the sandbox keeps what is posted, and shows it again.

Evidence: their paths are assumed, and of their bodies nothing is known; so nothing in a body is checked but
that it is an object of JSON. What is created gets an ``id``, a UUID; a ``PUT`` replaces all but that; what
moves money says ``success: true`` and moves none. Only an id that is not known is refused, with code 4.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from ..exchange import ApiRequest, ApiResponse, json_text, read_document
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
