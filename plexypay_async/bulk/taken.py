"""A row whose order reference may exist: the link that has it, if that one is as the row.

It was refused because of that, or an earlier version may have sent its reference as its source spells it.
"""

from __future__ import annotations

import attrs

from .._core.admission import JobLimits
from .._core.call_of import call_of
from .._core.execution import Execution
from .._wire.codec import OperationCodec
from .._wire.messages import WireResponse
from ..api.identities import StoredIdentity
from ..errors import APIError, NotFoundError, OrderReferenceConflictError, PlexyPayError
from ..pay.payment_links import (
    CreatePaymentLink,
    PaymentLink,
    PaymentLinks,
    RetrievePaymentLinkByOrderReference,
)

__all__ = ["existing", "is_of", "kept_link", "under_spelling"]


def is_of(link: PaymentLink, request: CreatePaymentLink) -> bool:
    """Tell whether a link has the order reference, amount and currency of a request."""
    return (link.order_reference, link.amount, link.currency.upper()) == (
        request.order_reference,
        request.amount,
        request.currency,
    )


def kept_link(
    codec: OperationCodec[PaymentLink], answer: bytes, request: CreatePaymentLink
) -> PaymentLink | None:
    """Return the link of an answer that a journal has kept for a row; None where its id alone is believed."""
    create = PaymentLinks.create
    try:
        link = codec.decode(WireResponse(200, answer))
    except PlexyPayError:
        # It could not be read as a whole, or was kept by a version that read answers in another way.
        return None
    # It may be one that cannot be right, such as one with a negative amount.
    is_asked = create.asked(request) == create.named(link) or create.misfit(request, link) is None
    return link if is_asked else None


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
    return _compared(found, request, refusal)


async def under_spelling(
    execution: Execution, request: CreatePaymentLink, spelling: str, limits: JobLimits
) -> PaymentLink | PlexyPayError | None:
    """Look up the link of a row under another spelling of its order reference. Nothing is sent.

    Returns:
        The link, if it has the row's amount and currency; an `OrderReferenceConflictError` if it has others,
        or is cancelled or expired; None if there is none, as far as is known: whether the look-up can be
        believed is seen when the row's own reference is looked up. Else the error: the row must not be sent.
    """
    reference = StoredIdentity(spelling)
    look_up = call_of(
        execution,
        PaymentLinks.retrieve_by_order_reference,
        RetrievePaymentLinkByOrderReference(reference),
        job=limits,
    )
    try:
        found = await look_up.run()
    except NotFoundError:
        return None
    except PlexyPayError as error:
        return error.with_traceback(None)
    return _compared(found, attrs.evolve(request, order_reference=reference), None)


def _compared(
    found: PaymentLink, request: CreatePaymentLink, refusal: APIError | None
) -> PaymentLink | OrderReferenceConflictError:
    reference = str(request.order_reference)
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
    conflict.link_id, conflict.link_url = found.id, found.url
    conflict.__cause__ = refusal
    return conflict
