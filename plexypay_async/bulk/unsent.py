"""Rows of a bulk job that are not sent: the result of each says why, and what to do.

And which rows may be sent again, since their failure says that nothing was made.
"""

from __future__ import annotations

from ..api.payment_links import BulkResult, CreatePaymentLink, PaymentLinks
from ..errors import (
    ConfigurationError,
    OrderReferenceConflictError,
    Outcome,
    PlexyPayError,
    UnreadableResponseError,
)
from .lasting import copied

__all__ = [
    "REFERENCE_MISSING",
    "differs",
    "differs_from_journal",
    "not_sent",
    "nothing_exists",
    "refused",
    "repeating",
]

_CREATE = PaymentLinks.create

REFERENCE_MISSING = "a job with a journal needs an order reference on every row"


def nothing_exists(error: PlexyPayError) -> bool:
    """Tell whether an error says for sure that there is no link under the row's reference.

    A conflict says that there is one: its row stays claimed, so that it is looked up and never sent blindly.
    """
    return error.outcome in (Outcome.NOT_SENT, Outcome.REJECTED) and not isinstance(
        error, (OrderReferenceConflictError, UnreadableResponseError)
    )


def refused(index: int, request: CreatePaymentLink, why: str) -> BulkResult:
    """Return the result of a row that cannot be sent."""
    return BulkResult(index=index, request=request, error=ConfigurationError(f"row {index}: {why}"))


def repeating(index: int, request: CreatePaymentLink, first: int) -> BulkResult:
    """Return the result of a row of a job without a journal whose order reference an earlier row has.

    What the job keeps of a row is its reference alone: whether the rest is the same is not known.
    """
    error = ConfigurationError(
        f"row {index}: not sent: row {first} of this job has the order reference"
        f" {request.order_reference!r} already; see the result of that row for the link, and give this one a"
        " reference of its own if it is another order",
        operation=_CREATE.name,
        order_reference=request.order_reference,
    )
    return BulkResult(index=index, request=request, error=error, repeats=first)


def differs(reference: str, row: int) -> str:
    """Tell that an earlier row of the job has the reference, and other content."""
    return f"the order reference {reference!r} came with other content in row {row}; nothing was sent for it"


def differs_from_journal(reference: str, row: int) -> str:
    """Tell that the journal has the reference, and other content."""
    return (
        f"the journal has the order reference {reference!r} with other content, from row {row} (counted"
        " from 0) of an earlier run: nothing was sent for it; put the row back as it was, or give it a"
        " reference of its own"
    )


def not_sent(index: int, request: CreatePaymentLink, failure: BaseException | None) -> BulkResult:
    """Return the result of a row that was read and not sent, since its job ended before."""
    told = type(failure).__name__
    cause = copied(failure) if isinstance(failure, PlexyPayError) else None
    error = PlexyPayError(
        f"row {index}: not sent: the job ended before ({told if cause is None else f'{told}: {cause}'})",
        outcome=Outcome.NOT_SENT,
        operation=_CREATE.name,
        order_reference=request.order_reference,
    )
    error.__cause__ = cause
    return BulkResult(index=index, request=request, error=error)
