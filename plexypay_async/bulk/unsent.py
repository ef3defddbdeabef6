"""Rows of a bulk job that are not sent: the result of each says why, and what to do.

And which rows may be sent again, since their failure says that nothing was made.
"""

from __future__ import annotations

from ..errors import (
    ConfigurationError,
    OrderReferenceConflictError,
    Outcome,
    PlexyPayError,
    UnreadableResponseError,
)
from ..pay.payment_links import BulkResult, CreatePaymentLink, PaymentLinks
from .lasting import copied

__all__ = [
    "REFERENCE_MISSING",
    "differs",
    "differs_from_journal",
    "holder_in",
    "made_nothing",
    "not_looked_up",
    "not_sent",
    "refused",
    "repeating",
]

_CREATE = PaymentLinks.create

REFERENCE_MISSING = "a job with a journal needs an order reference on every row"


def made_nothing(error: PlexyPayError) -> bool:
    """Tell whether an error says for sure that nothing was made for the row, so that it may be corrected.

    A conflict that is not in doubt does: the link that has the reference was there before.
    """
    is_sure = error.outcome in (Outcome.NOT_SENT, Outcome.REJECTED)
    return is_sure and not isinstance(error, UnreadableResponseError)


def holder_in(error: PlexyPayError) -> str | None:
    """Return the id of another order's link that has the row's reference, where an error tells one."""
    return error.link_id if isinstance(error, OrderReferenceConflictError) else None


def refused(index: int, request: CreatePaymentLink, why: str, *, link_id: str | None = None) -> BulkResult:
    """Return the result of a row that cannot be sent; `link_id` is that of a link that is in its way."""
    error = ConfigurationError(f"row {index}: {why}")
    error.link_id = link_id
    return BulkResult(index=index, request=request, error=error)


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


def not_looked_up(index: int, request: CreatePaymentLink, failure: PlexyPayError) -> BulkResult:
    """Return the result of a row whose reference another order's link has, where that could not be read."""
    error = PlexyPayError(
        f"row {index}: not sent: another order's link had the order reference {request.order_reference!r},"
        f" and it could not be looked up ({failure})",
        outcome=Outcome.NOT_SENT,
        operation=_CREATE.name,
        order_reference=request.order_reference,
    )
    error.__cause__ = failure
    return BulkResult(index=index, request=request, error=error)


def differs(reference: str, row: int) -> str:
    """Tell that an earlier row of the job has the reference, and other content."""
    return f"the order reference {reference!r} came with other content in row {row}; nothing was sent for it"


def differs_from_journal(reference: str, row: int, link_id: str | None) -> str:
    """Tell that the journal has the reference, and other content; a second link may be paid beside the first.

    Args:
        reference: The row's.
        row: The number of the journal's row, in the job that has claimed it.
        link_id: The link that was made of that; None where it is not known whether there is one.
    """
    has = "it may have a link" if link_id is None else f"its link is {link_id}"
    first = (
        "put it back first and run the job again, which looks for that link, before you"
        if link_id is None
        else "cancel that link first, since it may still be paid, and then"
    )
    return (
        f"the journal has the order reference {reference!r} with other content, from row {row} (counted"
        f" from 0) of an earlier run, and {has}: nothing was sent for it; put the row back as it was, or"
        f" {first} give it a reference of its own"
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
