"""Payouts: send money to cards, and store cards to send it to.

Evidence: **assumed** throughout. The vendor's index has the three calls and the schemas
``request.HandlePayout``, ``response.Payout``, ``request.CreateCardSaveSession`` and ``response.SavedCard``;
their pages could not be read, so that a request takes its fields in `extra` and an answer is in `raw`. The
unit of an amount in `extra` is not published either.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..api.facades import F
from ..api.fields import BodyInExtra, IdentifiedModel, ListRequest
from ..api.operation import Evidence, Listing, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY

__all__ = [
    "CreatePayout",
    "ListPayouts",
    "Payout",
    "PayoutTransaction",
    "Payouts",
    "SavePayoutCard",
    "SavedPayoutCard",
]


@attrs.frozen(kw_only=True)
class ListPayouts(ListRequest):
    """List payout transactions, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `PayoutTransaction`, of which only `id`
        is typed and the rest is in `raw`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"payouts.list": "/v1/..."}``.
    """


@attrs.frozen
class CreatePayout(BodyInExtra):
    """Pay out.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        extra: The fields of the body, under their wire names: those of the vendor's ``request.HandlePayout``.
            The library knows none of them, nor the unit of the amount.

    Returns:
        The `Payout`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: This path is not the API's.
        RefusedError: The server said ``success: false``.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: It may be paid out; look for it in `payouts.list`.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: **assumed**; override the path with ``paths={"payouts.create": "/v1/..."}``.
    """


@attrs.frozen
class SavePayoutCard(BodyInExtra):
    """Store a card for payouts.

    Never repeated by the library once the outcome is unknown: a second one could be made.

    Args:
        extra: The fields of the body, under their wire names: those of the vendor's
            ``request.CreateCardSaveSession``. The library knows none of them. A card's number does not belong
            here.

    Returns:
        `SavedPayoutCard`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: This path is not the API's.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The card may be stored.

    Evidence: **assumed**; override the path with ``paths={"payouts.save_card": "/v1/..."}``.
    """


@attrs.frozen(kw_only=True)
class PayoutTransaction(IdentifiedModel):
    """A payout as a listing shows it. All but `id` is in `raw`.

    Evidence: **assumed**; no field of it is published.
    """


@attrs.frozen(kw_only=True)
class Payout(IdentifiedModel):
    """What a payout answers. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``response.Payout`` and shows no field of it.
    """


@attrs.frozen(kw_only=True)
class SavedPayoutCard(IdentifiedModel):
    """What storing a card answers. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``response.SavedCard`` and shows no field of it.
    """


class Payouts(Resource[F], api=PAY):
    """List payouts, pay out, and store cards for it."""

    list: Final = Listing("/v1/payouts", ListPayouts, PayoutTransaction, evidence=Evidence.ASSUMED)
    create: Final = Operation(
        "POST",
        "/v1/payouts",
        CreatePayout,
        Payout,
        evidence=Evidence.ASSUMED,
        replay=Replay.MONEY,
        settled_by=SettledBy(Look("payouts.list", "a new payout")),
    )
    save_card: Final = Operation(
        "POST",
        "/v1/payouts/cards",
        SavePayoutCard,
        SavedPayoutCard,
        evidence=Evidence.ASSUMED,
        replay=Replay.CREATE,
        created=Evidence.ASSUMED,
    )
