"""Payment beneficiaries: who gets a part of what is collected, and the moves of their balances.

Evidence: **assumed** throughout. The vendor's index has the six calls and the schemas
``request.CreatePaymentBeneficiary`` and ``entity.PaymentBeneficiary``; their pages could not be read, so
that a request takes its fields in `extra` and an answer is in `raw`. The unit of an amount in `extra` is
not published either.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..api.facades import F
from ..api.fields import BodyInExtra, IdentifiedModel, ListRequest, PathRequest
from ..api.operation import Evidence, Listing, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY

__all__ = [
    "Beneficiaries",
    "Beneficiary",
    "BeneficiarySettlement",
    "BeneficiaryTransfer",
    "CreateBeneficiary",
    "ListBeneficiaries",
    "RetrieveBeneficiary",
    "SettleBeneficiary",
    "TransferFromBeneficiary",
    "UpdateBeneficiary",
]


@attrs.frozen
class CreateBeneficiary(BodyInExtra):
    """Create a payment beneficiary.

    Never repeated by the library once the outcome is unknown: a second one could be made.

    Args:
        extra: The fields of the body, under their wire names: those of the vendor's
            ``request.CreatePaymentBeneficiary``. The library knows none of them.

    Returns:
        The `Beneficiary`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: This path is not the API's.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The beneficiary may exist; look for it in `beneficiaries.list`.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.create": "/v1/..."}``.
    """


@attrs.frozen
class UpdateBeneficiary(BodyInExtra):
    """Update a payment beneficiary. That the body replaces all of it, as a PUT does, is assumed.

    Args:
        id: The beneficiary's `id`.
        extra: The fields of the body, under their wire names: those of the vendor's
            ``entity.PaymentBeneficiary``. The library knows none of them.

    Returns:
        The `Beneficiary` as it is now; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: There is no such beneficiary, or this path is not the API's.
        UnprocessableError: The server refused the data.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.update": "/v1/..."}``.
    """

    id: str


@attrs.frozen
class RetrieveBeneficiary(PathRequest):
    """Retrieve a payment beneficiary by its id.

    Args:
        id: The beneficiary's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `Beneficiary`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        NotFoundError: There is no such beneficiary, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.retrieve": "/v1/..."}``.
    """

    id: str


@attrs.frozen(kw_only=True)
class ListBeneficiaries(ListRequest):
    """List payment beneficiaries, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `Beneficiary`, of which only `id` is
        typed and the rest is in `raw`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.list": "/v1/..."}``.
    """


@attrs.frozen
class TransferFromBeneficiary(BodyInExtra):
    """Move money of a beneficiary's balance to the merchant's.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        id: The beneficiary's `id`.
        extra: The fields of the body, under their wire names. The library knows none of them, nor the unit of
            the amount.

    Returns:
        `BeneficiaryTransfer`; what else it says is in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: There is no such beneficiary, or this path is not the API's.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The money may be moved; that `beneficiaries.retrieve` shows a changed balance is
            assumed.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.transfer": "/v1/..."}``.
    """

    id: str


@attrs.frozen
class SettleBeneficiary(PathRequest):
    """Settle a beneficiary's balance by hand.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        id: The beneficiary's `id`.
        extra: The fields of the body, under their wire names. The library knows none of them, nor the unit of
            the amount.

    Returns:
        `BeneficiarySettlement`; what else it says is in `raw`.

    Raises:
        NotFoundError: There is no such beneficiary, or this path is not the API's.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: It may be settled; that `beneficiaries.retrieve` shows a changed balance is
            assumed.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: **assumed**; override the path with ``paths={"beneficiaries.settle": "/v1/..."}``.
    """

    id: str


@attrs.frozen(kw_only=True)
class Beneficiary(IdentifiedModel):
    """A payment beneficiary. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``entity.PaymentBeneficiary`` and shows no field of it.
    """


@attrs.frozen(kw_only=True)
class BeneficiaryTransfer(IdentifiedModel):
    """What a transfer to the merchant's balance answers. What is not typed is in `raw`.

    Evidence: **assumed**; no field of it is published.
    """

    success: bool | None = None
    """Whether it has worked, where the answer says so. Assumed."""


@attrs.frozen(kw_only=True)
class BeneficiarySettlement(IdentifiedModel):
    """What a manual settlement answers. What is not typed is in `raw`.

    Evidence: **assumed**; no field of it is published.
    """

    success: bool | None = None
    """Whether it has worked, where the answer says so. Assumed."""


class Beneficiaries(Resource[F], api=PAY):
    """Create, list, find and update payment beneficiaries, and move their money."""

    create: Final = Operation(
        "POST",
        "/v1/merchants/beneficiaries",
        CreateBeneficiary,
        Beneficiary,
        evidence=Evidence.ASSUMED,
        replay=Replay.CREATE,
        created=Evidence.ASSUMED,
        settled_by=SettledBy(Look("beneficiaries.list", "a new beneficiary")),
    )
    update: Final = Operation(
        "PUT",
        "/v1/merchants/beneficiaries/{id}",
        UpdateBeneficiary,
        Beneficiary,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    retrieve: Final = Operation(
        "GET",
        "/v1/merchants/beneficiaries/{id}",
        RetrieveBeneficiary,
        Beneficiary,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    list: Final = Listing(
        "/v1/merchants/beneficiaries", ListBeneficiaries, Beneficiary, evidence=Evidence.ASSUMED
    )
    transfer: Final = Operation(
        "POST",
        "/v1/merchants/beneficiaries/{id}/transfer",
        TransferFromBeneficiary,
        BeneficiaryTransfer,
        evidence=Evidence.ASSUMED,
        replay=Replay.MONEY,
        settled_by=SettledBy(
            Look("beneficiaries.retrieve", "a changed balance", by="id"),
            doubt="That it shows there is not published: where it does not, ask the vendor's support.",
        ),
    )
    settle: Final = Operation(
        "POST",
        "/v1/merchants/beneficiaries/{id}/settlements",
        SettleBeneficiary,
        BeneficiarySettlement,
        evidence=Evidence.ASSUMED,
        replay=Replay.MONEY,
        settled_by=SettledBy(
            Look("beneficiaries.retrieve", "a changed balance", by="id"),
            doubt="That it shows there is not published: where it does not, ask the vendor's support.",
        ),
    )
