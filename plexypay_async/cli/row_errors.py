"""What is said of a row's error to people: the library's text, with amounts in major units and what to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ..errors import OrderReferenceConflictError, Outcome, PlexyPayError
from ..pay.payment_links import CreatePaymentLink
from .amounts import amount_told

__all__ = ["told_to_people"]

_CANCEL = ("plexypay", "pay", "payment-links", "cancel")
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
"""An id that can stand in a command; the server's may be anything."""
_OF_EARLIER_RUN = re.compile(r", from row \d+ \(counted from 0\) of an earlier run")
_CANCEL_FIRST = "cancel that link first"
_OTHER_CURRENCY = re.compile(r"\bcurrency '([A-Za-z]{3})' instead of ")
_DEAD = re.compile(r"\bstatus '(cancelled|expired)'")


def told_to_people(
    message: str, error: PlexyPayError, request: CreatePaymentLink, options: Sequence[str] | None = ()
) -> str:
    """Return an error's message as the command tells it.

    Args:
        message: The error's text, without secrets.
        error: The error.
        request: The row's request.
        options: Options with which another command reaches the same server; None where none does.
    """
    if isinstance(error, OrderReferenceConflictError) and error.link_id is not None:
        return _of_conflict(message, error, error.link_id, request, options)
    if error.link_id is not None and error.outcome is Outcome.NOT_SENT:
        cancel = _cancel(error.link_id, options)
        message = message.replace(_CANCEL_FIRST, f"{_CANCEL_FIRST}{cancel}")
    if error.outcome is Outcome.UNKNOWN:
        message = message.replace(
            f"Look up the order reference {error.order_reference!r} before creating it again.",
            "Run the same file again: the link is found by its order reference, if there is one.",
        )
    return _OF_EARLIER_RUN.sub(", from an earlier run", message, count=1)


def _cancel(link_id: str, options: Sequence[str] | None) -> str:
    """Return the command that cancels a link, for a shell and in parentheses; nothing where there is none."""
    if options is None or _PLAIN_ID.fullmatch(link_id) is None:
        return ""
    return f" ({shlex.join([*_CANCEL, link_id, *options])})"


def _of_conflict(
    message: str,
    error: PlexyPayError,
    link_id: str,
    request: CreatePaymentLink,
    options: Sequence[str] | None,
) -> str:
    found = _OTHER_CURRENCY.search(message)
    currency = request.currency if found is None else found[1].upper()
    told = re.sub(
        rf"({re.escape(link_id)}, )([0-9]+) ([A-Za-z]{{3}})(?=, status )",
        lambda match: match[1] + amount_told(int(match[2]), match[3].upper()),
        message,
        count=1,
    )
    told = re.sub(
        rf"({re.escape(link_id)} with amount )([0-9]+) instead of ([0-9]+)",
        lambda match: (
            f"{match[1]}{amount_told(int(match[2]), currency)} instead of"
            f" {amount_told(int(match[3]), request.currency)}"
        ),
        told,
        count=1,
    )
    if error.outcome is not Outcome.REJECTED:
        return told
    if _DEAD.search(message):
        return f"{told}; nobody can pay that link: for a new one, give the row an order reference of its own"
    return (
        f"{told}; put the row back as it was, or look at that link, cancel it if it can still be paid"
        f"{_cancel(link_id, options)}, and only then give the row an order reference of its own"
    )
