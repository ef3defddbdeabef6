"""A row that is refused since its order reference exists: the link that has it, if that one is as the row."""

from __future__ import annotations

from .._core.admission import JobLimits
from .._core.call import call_of
from .._core.execution import Execution
from ..api.payment_links import (
    CreatePaymentLink,
    PaymentLink,
    PaymentLinks,
    RetrievePaymentLinkByOrderReference,
)
from ..errors import APIError, NotFoundError, OrderReferenceConflictError, PlexyPayError

__all__ = ["existing", "is_of"]


def is_of(link: PaymentLink, request: CreatePaymentLink) -> bool:
    """Tell whether a link has the order reference, amount and currency of a request."""
    return (link.order_reference, link.amount, link.currency.upper()) == (
        request.order_reference,
        request.amount,
        request.currency,
    )


async def existing(
    execution: Execution, request: CreatePaymentLink, refusal: APIError, limits: JobLimits
) -> PaymentLink | PlexyPayError:
    """Look up the order reference of a refused row. Nothing is sent again.

    Returns:
        The link, if it has the row's amount and currency; an `OrderReferenceConflictError` if it has others,
        or is cancelled or expired; the refusal if there is none, or it cannot be read, which a note says.
    """
    reference = str(request.order_reference)
    look_up = call_of(
        execution,
        PaymentLinks.retrieve_by_order_reference,
        RetrievePaymentLinkByOrderReference(reference),
        job=limits,
    )
    try:
        found = await look_up.run()
    except NotFoundError:
        return refusal
    except PlexyPayError as error:
        refusal.add_note(f"Whether a link has the order reference already could not be found out: {error}")
        return refusal
    create = PaymentLinks.create
    dead = create.look_up is not None and found.status in create.look_up.dead
    if is_of(found, request) and not dead:
        return found
    conflict = OrderReferenceConflictError(
        f"{create.name}: the order reference {reference!r} already belongs to {found.id}, {found.amount}"
        f" {found.currency}, status {found.status.value!r}: nothing was created for this row",
        operation=create.name,
        order_reference=reference,
    )
    conflict.__cause__ = refusal
    return conflict
