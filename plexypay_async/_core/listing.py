"""The pages of one listing, each fetched by a call of its own."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from .._wire.targets import query_of
from ..api.fields import Request
from ..api.operation import Listing
from ..pagination import AsyncPages, PageBody
from .call import Call
from .execution import Execution

__all__ = ["pages_of"]

T = TypeVar("T")


class _ListingPages(Generic[T]):
    """Fetches the pages that a listing's request asks for."""

    def __init__(self, execution: Execution, listing: Listing[..., T], request: Request) -> None:
        self.name = listing.name
        self._execution = execution
        self._listing = listing
        self._codec = execution.listing_codec(listing)
        self._path, filters = self._codec.filters(request)
        size = filters.pop("size", None)
        self.size = None if size is None else int(size)
        self._filters: dict[str, Any] = filters
        self.asked = f"{self._path}?{query_of(dict(sorted(filters.items())))}"

    async def fetch(self, page: int, size: int) -> PageBody[T]:
        """Fetch one page.

        Raises:
            PlexyPayError: The call failed.
        """
        wire_request = self._codec.encode(self._path, self._filters, page, size)

        def misfit(body: PageBody[T]) -> str | None:
            return None if body.page in (None, page) else f"page {body.page} when asked for page {page}"

        return await Call(self._execution, self._codec, wire_request, self._listing, misfit=misfit).run()


def pages_of(execution: Execution, listing: Listing[..., T], request: Request) -> AsyncPages[T]:
    """Return the pages that a request asks for; nothing is sent before one is read.

    Raises:
        ConfigurationError: The request cannot be written.
    """
    return AsyncPages(_ListingPages(execution, listing, request))
