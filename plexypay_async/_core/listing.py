"""The pages of one listing, each fetched by a call of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .._wire.targets import query_of
from ..api.fields import Request
from ..api.operation import Listing
from ..errors import PlexyPayError
from ..pagination import AsyncPages, PageBody, PageSource
from .execution import Execution
from .telling_call import call_class

if TYPE_CHECKING:
    from .._wire.codec import ListingCodec

__all__ = ["pages_of"]

T = TypeVar("T")


def pages_of(execution: Execution, listing: Listing[..., T], request: Request) -> AsyncPages[T]:
    """Return the pages that a request asks for; nothing is sent before one is read.

    Raises:
        ConfigurationError: The request cannot be written.
    """
    codec = execution.listing_codec(listing)
    path, filters = codec.filters(request)
    size = filters.pop("size", None)

    asked = f"{path}?{query_of(dict(sorted(filters.items())))}"
    fetch = partial(_fetched, execution, codec, listing, path, filters)
    return AsyncPages(PageSource(listing.name, asked, None if size is None else int(size), fetch))


async def _fetched(
    execution: Execution,
    codec: ListingCodec[T],
    listing: Listing[..., T],
    path: str,
    filters: Mapping[str, Any],
    page: int,
    size: int,
) -> PageBody[T]:
    others: list[PageBody[T]] = []

    def misfit(body: PageBody[T]) -> str | None:
        if body.page in (None, page):
            return None
        others.append(body)
        return f"page {body.page} when asked for page {page}"

    wire_request = codec.encode(path, filters, page, size)
    call = call_class(execution)(execution, codec, wire_request, listing, misfit=misfit)
    call.keeps_answers = True
    try:
        body = await call.run()
        return attrs.evolve(body, answered=call.answered(body).of(None, attempts=call.sent, recovered=False))
    except PlexyPayError as error:
        found = {(body.page, body.digest) for body in others}
        if call.sent == len(others) == len(error.attempts) + 1 and len(found) == 1:
            # One answer may be a late one to another request; the same each time is what the server says.
            return attrs.evolve(others[-1], misfit=error)
        raise
