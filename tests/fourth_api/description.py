"""The description of an API of parcels."""

from __future__ import annotations

from plexypay_async.api.description import API, ClientParameter, ErrorForm, Paging
from plexypay_async.errors import APIError, IdempotencyError, NotFoundError

BY_CODE: dict[int | str, type[APIError]] = {"gone": NotFoundError, "key_in_use": IdempotencyError}

PARCELS = API(
    name="parcels",
    title="Parcel Works",
    package=__name__.rpartition(".")[0],
    base_url=None,
    base_url_variable="PARCELS_BASE_URL",
    key_variable="PARCELS_KEY",
    key_header="X-Parcel-Key",
    errors=ErrorForm(
        inside="fault",
        code=("reason",),
        message=("text",),
        parameter="field",
        request_id="trace",
        types=frozenset({"refusal", "mistake"}),
        class_of=BY_CODE.get,
        declining=frozenset({"refusal"}),
        refusal_codes=("reason",),
    ),
    paging=Paging(size="per_page", items="rows"),
    repeated=frozenset({502, 503}),
    parameters=(
        ClientParameter("depot_id", "PARCELS_DEPOT"),
        ClientParameter("till", "TILL", required=False),
    ),
)
