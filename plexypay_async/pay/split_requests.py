"""Split requests: how a payment is divided among beneficiaries.

Evidence: **assumed** throughout. The vendor's index has the five calls and the schema
``entity.SplitRequest``; their pages could not be read, so that a request takes its fields in `extra` and an
answer is in `raw`.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..api.facades import F
from ..api.fields import BodyInExtra, IdentifiedModel, ListRequest, PathRequest
from ..api.operation import Evidence, Listing, Operation, Resource, optionally
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY

__all__ = [
    "CreateSplitRequest",
    "DeleteSplitRequest",
    "ListSplitRequests",
    "RetrieveSplitRequest",
    "SplitRequest",
    "SplitRequests",
    "UpdateSplitRequest",
]


@attrs.frozen
class CreateSplitRequest(BodyInExtra):
    """Create a split request.

    Never repeated by the library once the outcome is unknown: a second one could be made.

    Args:
        extra: The fields of the body, under their wire names: those of the vendor's ``entity.SplitRequest``.
            The library knows none of them.

    Returns:
        The `SplitRequest`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: This path is not the API's.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The split request may exist; look for it in `split_requests.list`.

    Evidence: **assumed**; override the path with ``paths={"split_requests.create": "/v1/..."}``.
    """


@attrs.frozen
class UpdateSplitRequest(BodyInExtra):
    """Update a split request. That the body replaces all of it, as a PUT does, is assumed.

    Args:
        id: The split request's `id`.
        extra: The fields of the body, under their wire names: those of the vendor's ``entity.SplitRequest``.
            The library knows none of them.

    Returns:
        The `SplitRequest` as it is now; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: There is no such split request, or this path is not the API's.
        UnprocessableError: The server refused the data.

    Evidence: **assumed**; override the path with ``paths={"split_requests.update": "/v1/..."}``.
    """

    id: str


@attrs.frozen
class RetrieveSplitRequest(PathRequest):
    """Retrieve a split request by its id.

    Args:
        id: The split request's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `SplitRequest`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        NotFoundError: There is no such split request, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"split_requests.retrieve": "/v1/..."}``.
    """

    id: str


@attrs.frozen
class DeleteSplitRequest(PathRequest):
    """Delete a split request.

    Safe to repeat: if a repeat after a lost answer finds nothing, that is a success.

    Args:
        id: The split request's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `SplitRequest` that was deleted, or None where the server answers without it.

    Raises:
        NotFoundError: There is no such split request, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"split_requests.delete": "/v1/..."}``.
    """

    id: str


@attrs.frozen(kw_only=True)
class ListSplitRequests(ListRequest):
    """List split requests, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `SplitRequest`, of which only `id` is
        typed and the rest is in `raw`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"split_requests.list": "/v1/..."}``.
    """


@attrs.frozen(kw_only=True)
class SplitRequest(IdentifiedModel):
    """A split request. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``entity.SplitRequest`` and shows no field of it.
    """


class SplitRequests(Resource[F], api=PAY):
    """Create, list, find, update and delete split requests."""

    create: Final = Operation(
        "POST",
        "/v1/split-requests",
        CreateSplitRequest,
        SplitRequest,
        evidence=Evidence.ASSUMED,
        replay=Replay.CREATE,
        created=Evidence.ASSUMED,
        settled_by=SettledBy(Look("split_requests.list", "a new split request")),
    )
    list: Final = Listing("/v1/split-requests", ListSplitRequests, SplitRequest, evidence=Evidence.ASSUMED)
    retrieve: Final = Operation(
        "GET",
        "/v1/split-requests/{id}",
        RetrieveSplitRequest,
        SplitRequest,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    update: Final = Operation(
        "PUT",
        "/v1/split-requests/{id}",
        UpdateSplitRequest,
        SplitRequest,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    delete: Final = Operation(
        "DELETE",
        "/v1/split-requests/{id}",
        DeleteSplitRequest,
        optionally(SplitRequest, known_by="id"),
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
