"""An agent's account: its balance and its deposits, and whether the API is up.

Evidence: the paths of balance and deposits are published, their fields are seen in an example. Of `health`
the path is published, and nothing of its answer. Amounts are in **major** units as `Decimal` (12.50 USD is
``Decimal("12.50")``). Times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs

from ..api.checks import check_size, check_text, in_capitals
from ..api.facades import F
from ..api.fields import Model, OpenEnum, PathRequest, Request, wire
from ..api.operation import Evidence, Listing, Operation, Resource
from .description import GATE

__all__ = [
    "AgentBalance",
    "AgentBalances",
    "AgentDeposit",
    "Balance",
    "CheckHealth",
    "DepositMethod",
    "DepositStatus",
    "Deposits",
    "Health",
    "HealthReport",
    "ListDeposits",
    "RetrieveBalance",
]


class DepositMethod(OpenEnum):
    """How a deposit came. An unknown method is a member that equals the string it came as.

    Evidence: seen in an example; an open set.
    """

    BANK_WIRE = "bank_wire"
    MANUAL = "manual"


class DepositStatus(OpenEnum):
    """A deposit's state. An unknown state is a member that equals the string it came as.

    Evidence: seen in an example; an open set.
    """

    PENDING = "pending"
    POSTED = "posted"
    """It is in the balance."""


# ------------------------------------------------------------------------------------------ the requests


@attrs.frozen
class RetrieveBalance(PathRequest):
    """Retrieve what the agent has to spend, in each of its currencies.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        The `AgentBalances`, in **major** units.

    Raises:
        PlexyPayError: The call failed.

    Evidence: published.
    """


@attrs.frozen(kw_only=True)
class ListDeposits(Request):
    """List the agent's deposits, in the server's order.

    Args:
        status: Only those in this state, such as ``"posted"``.
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `AgentDeposit`, with `amount` in
        **major** units.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: published; the parameters are seen in an example.
    """

    status: DepositStatus | str | None = None
    size: int | None = None
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.status is not None:
            check_text("status", self.status)
        check_size(self.size)


@attrs.frozen
class CheckHealth(PathRequest):
    """Ask whether the API is up.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        The `HealthReport`: it is up, for it has answered with a success status.

    Raises:
        UnreadableResponseError: It has answered with a success status, and not with an object of JSON.
        PlexyPayError: It has not answered so.

    Evidence: the path is published; whether it is below the agent's, whether it needs the key, and its answer
    are not.
    """


# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class AgentBalance(Model):
    """What an agent has to spend in one currency.

    `available` is in **major** units.

    Evidence: seen in an example.
    """

    currency_code: str = attrs.field(metadata=wire("currency_code"))
    """Three letters, such as ``USD``."""
    available: Decimal = attrs.field(metadata=wire(decimal_text=True))
    """What may be spent, in **major** units of `currency_code`; presumably without what open orders have
    reserved."""
    updated_at: datetime | None = attrs.field(default=None, metadata=wire("updated_at"))
    """When it was last changed, by its name; in UTC."""


@attrs.frozen(kw_only=True)
class AgentBalances(Model):
    """What an agent has to spend, in each of its currencies.

    Evidence: seen in an example; an array alone is read too.
    """

    list_under: ClassVar[str | None] = "items"

    items: tuple[AgentBalance, ...]
    """One balance for each currency, in the server's order."""

    def of(self, currency_code: str) -> AgentBalance | None:
        """Return the balance of one currency, such as ``USD``; None where the agent has none in it."""
        wanted = in_capitals(currency_code)
        return next((item for item in self.items if in_capitals(item.currency_code) == wanted), None)


@attrs.frozen(kw_only=True)
class AgentDeposit(Model):
    """Money that was added to an agent's balance, or is going to be.

    `amount` is in **major** units. Times are UTC.

    Evidence: seen in an example.
    """

    id: int
    """The deposit's id."""
    currency_code: str = attrs.field(metadata=wire("currency_code"))
    """Three letters, such as ``USD``."""
    amount: Decimal = attrs.field(metadata=wire(decimal_text=True))
    """How much it is, in **major** units of `currency_code`."""
    method: DepositMethod | None = None
    """How it came: ``bank_wire`` and ``manual`` are seen."""
    status: DepositStatus
    """Whether it is in the balance: ``pending`` and ``posted`` are seen."""
    external_ref: str | None = attrs.field(default=None, metadata=wire("external_ref"))
    """The payer's reference, such as ``WIRE-2024-10-17``; None where there is none."""
    created_at: datetime | None = attrs.field(default=None, metadata=wire("created_at"))
    """When it was created, in UTC."""
    posted_at: datetime | None = attrs.field(default=None, metadata=wire("posted_at"))
    """When it came into the balance, in UTC; None until then."""


@attrs.frozen(kw_only=True)
class HealthReport(Model):
    """What the API says of itself.

    Evidence: **assumed**; read `raw`.
    """

    status: str | None = None
    """What the server says of itself, where it says it under this name. Assumed."""


# -------------------------------------------------------------------------------------------- the groups


class Balance(Resource[F], api=GATE):
    """Look at what the agent has to spend."""

    retrieve: Final = Operation(
        "GET", "/agent/{agent_id}/balance", RetrieveBalance, AgentBalances, evidence=Evidence.PUBLISHED
    )


class Deposits(Resource[F], api=GATE):
    """List what was added to the agent's balance."""

    list: Final = Listing(
        "/agent/{agent_id}/deposits", ListDeposits, AgentDeposit, evidence=Evidence.PUBLISHED
    )


class Health(Resource[F], api=GATE):
    """Ask whether the API is up."""

    check: Final = Operation("GET", "/health", CheckHealth, HealthReport, evidence=Evidence.PUBLISHED)
