"""What an assumed path does not find, asked of the operation that is declared as its fallback."""

from __future__ import annotations

from typing import Any

from .._privacy.printable import log
from ..api.index import operation_of
from ..errors import NotFoundError, PlexyPayError, UnreadableResponseError
from .reads import read
from .recovery import UnderWay

__all__ = ["found_otherwise"]


async def found_otherwise(call: UnderWay, error: NotFoundError) -> Any:
    """Return what the fallback finds, within the deadline and the retry budget of the call.

    Raises:
        NotFoundError: The fallback has not found it either: the first path's error, with a note.
        UnreadableResponseError: What the fallback finds is another one, however often it is asked.
        PlexyPayError: The fallback could not tell; a note says that the first path was asked before.
    """
    record = call.record
    declaration, request = record.declaration, record.request
    fallback = operation_of(declaration.api, str(declaration.fallback))
    asked = {name: getattr(request, name) for name in declaration.path_parameters}
    same = fallback.request(**asked, extra=request.extra)
    codec = call.execution.codec(fallback).of(same)
    path = record.settings.paths.get(fallback.name, fallback.path)
    log.debug("%s: not found; asking %s", record.name, fallback.name)
    # What is not found on an assumed path says nothing of the fallback's attempts.
    record.failures.remove(error)
    try:
        found: Any = await read(call, codec, codec.encode(same), lambda answer: fallback.misfit(same, answer))
        told = fallback.misfit(same, found)
        if told is not None:
            wrong = f"{fallback.name}: the answer is of another request: {told}"
            raise UnreadableResponseError(wrong, status=200)
        return found
    except NotFoundError as other:
        error.add_note(f"{fallback.name} ({path}), asked after it, found nothing either: {other}.")
        raise error from None
    except PlexyPayError as other:
        other.add_note(f"{fallback.name} was asked because {declaration.path} was not found: {error}.")
        raise
    finally:
        record.failures.insert(0, error)
