"""Waiting for a transaction by asking again and again: for payments whose webhook may be lost."""

from __future__ import annotations

import asyncio
from typing import Any

import backoff

from .._privacy.printable import log
from ..api.operation import Operation
from ..api.transactions import (
    RetrieveTransaction,
    RetrieveTransactionByOrderReference,
    RetrieveTransactionByPaymentLink,
    Transaction,
    Transactions,
    TransactionStatus,
    WaitForTransaction,
)
from ..errors import (
    ConnectError,
    DeadlineExceededError,
    NotFoundError,
    OutageError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnreadableResponseError,
)
from .call_of import call_of
from .deadlines import Deadlines
from .execution import Execution
from .slots import running_loop

__all__ = ["Polling"]

LONGEST = 15
"""The longest pause, in first pauses."""
PASSING = (
    ConnectError,
    DeadlineExceededError,
    OutageError,
    OutcomeUnknownError,
    RateLimitedError,
    ServiceUnavailableError,
    SomethingWentWrongError,
)
"""What a read fails with while the server is down: the wait outlasts it."""


class Polling:
    """One wait for a transaction."""

    def __init__(self, execution: Execution, options: WaitForTransaction) -> None:
        self._execution = execution
        self._options = options
        self._until = None if options.until is None else TransactionStatus(options.until)
        self._operation: Operation[..., Transaction]
        self._request: Any
        if options.id is not None:
            self._operation, self._request = Transactions.retrieve, RetrieveTransaction(options.id)
        elif options.payment_link_id is not None:
            self._operation = Transactions.retrieve_by_payment_link
            self._request = RetrieveTransactionByPaymentLink(options.payment_link_id)
        else:
            self._operation = Transactions.retrieve_by_order_reference
            self._request = RetrieveTransactionByOrderReference(str(options.order_reference))
        self._found: Transaction | None = None
        self._failure: PlexyPayError | None = None
        self._was_missing = False

    async def run(self) -> Transaction:
        """Ask until the transaction is as wanted.

        Raises:
            DeadlineExceededError: The wait's time is over.
            PlexyPayError: Asking failed in a way that asking again does not change.
        """
        # A timer of asyncio's would never ring where a test sets a frozen clock back amid the wait.
        deadlines = Deadlines(running_loop())
        watch = deadlines.watch(deadlines.now() + self._options.timeout)
        try:
            return await self._polled()
        except asyncio.CancelledError:
            if not watch.done():
                raise
        finally:
            watch.done()
        raise self._too_late() from self._failure

    async def _polled(self) -> Transaction:
        interval = self._options.interval
        pauses = backoff.expo(base=1.5, factor=interval, max_value=LONGEST * interval)
        next(pauses)
        while True:
            try:
                call = call_of(self._execution, self._operation, self._request)
                call.record.expects_nothing = self._options.id is None
                found = await call.run()
            except PASSING as error:
                self._failure = error
            except UnreadableResponseError as error:
                if not error.cut:
                    raise
                self._failure = error
            except NotFoundError as error:
                if self._options.id is not None:
                    raise
                self._failure = error
                self._was_missing = True
            else:
                self._found, self._failure = found, None
                if self._is_wanted(found.status):
                    return found
            wait: float = next(pauses)
            # Between half and all of it: not all who wait ask at the same instant.
            wait = wait / 2 + backoff.full_jitter(wait / 2)
            log.debug("transactions.wait: asking again in %.1f s", wait)
            await asyncio.sleep(max(wait, getattr(self._failure, "retry_after", None) or 0.0))

    def _is_wanted(self, status: TransactionStatus) -> bool:
        if self._until is None:
            return status.is_paid or status.is_final
        # Of the final states, a charged payment alone may still change: it can be refunded.
        goes_on = status is TransactionStatus.CHARGED and self._until is TransactionStatus.REFUNDED
        return status == self._until or (status.is_final and not goes_on)

    def _too_late(self) -> DeadlineExceededError:
        found, options = self._found, self._options
        if found is not None:
            where = f"its status is {found.status.value!r}"
        elif self._was_missing:
            where = "nobody has paid: there is no transaction yet of " + (
                f"the payment link {options.payment_link_id!r}"
                if options.payment_link_id is not None
                else f"the order {options.order_reference!r}"
            )
        else:
            where = "the server did not tell"
        wanted = "paid or final" if self._until is None else repr(self._until.value)
        error = DeadlineExceededError(
            f"transactions.wait: not {wanted} within {options.timeout:g} s: {where}", outcome=Outcome.UNKNOWN
        )
        error.operation = "transactions.wait"
        error.order_reference = options.order_reference if found is None else found.order_reference
        if self._failure is not None:
            for note in getattr(self._failure, "__notes__", ()):
                error.add_note(note)
        return error
