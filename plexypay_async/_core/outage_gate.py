"""The gate of a client's single calls on one event loop: where they wait while nothing works.

While everything fails, one call after the other goes out as a probe, two a second, and the others wait within
their own deadlines. The first answer opens the gate. Those that wait then go out ten at first and two more
for each answer, since a server that comes back is knocked over again by all of them at once.

The calls that find the retry budget empty wait here too, for its tokens.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from ..errors import CLIENT_CLOSED, ConfigurationError
from .retry_budget import RetryBudget
from .slots import Slots

__all__ = ["OutageGate"]

FIRST = 10
"""So many calls go out when an outage ends, as many as a bulk job begins with."""
FOR_EACH = 2
"""So many go out for each answer after that: twice as many each round trip."""
TURN = 0.1
"""Seconds after which the next ten go out although none of those before was answered well."""


class OutageGate:
    """Lets single calls out: all of them as a rule, and probes alone while nothing works.

    Args:
        budget: The client's retry budget, which knows of the failures on all event loops.
        slots: The slots of this event loop, which tell how many requests are under way.
        loop: The event loop.
    """

    def __init__(self, budget: RetryBudget, slots: Slots, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._budget = budget
        self._slots = slots
        # In the order of their coming; a plain dict is slow to give its first up again and again.
        self._waiting: OrderedDict[asyncio.Future[int], int] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def is_shut(self) -> bool:
        """Tell whether nothing but a probe should be sent."""
        return self._budget.is_outage(self._slots.taken)

    def may_probe(self) -> bool:
        """Take the turn of the next probe at once, past those that wait; False where it is too early."""
        return self._budget.may_probe()

    async def wait(self, price: int) -> int:
        """Wait until a request may go out.

        Args:
            price: The tokens that it costs, unless it goes out as a probe.

        Returns:
            The tokens that it has paid.

        Raises:
            ConfigurationError: The client is closed.
        """
        if self._closed:
            raise ConfigurationError(CLIENT_CLOSED)
        ticket: asyncio.Future[int] = self.loop.create_future()
        self._waiting[ticket] = price
        self._budget.hold(self)
        self._schedule()
        try:
            paid = await ticket
        except asyncio.CancelledError:
            self._waiting.pop(ticket, None)
            if ticket.done() and not ticket.cancelled():
                self._pass_on(ticket.result())
            elif not self._waiting:
                self._rest()
            raise
        if self._closed:
            raise ConfigurationError(CLIENT_CLOSED)
        return paid

    def answered(self, *, ends_outage: bool) -> None:
        """Let some of those that wait go on: the server has answered."""
        self._admit(FIRST if ends_outage else FOR_EACH)

    def abandon(self) -> None:
        """Be no gate at which anybody waits: its event loop is another process's."""
        self._budget.holding.discard(self)

    def close(self) -> None:
        """Stop the timer, and let all that wait now or later find that the client is closed."""
        self._closed = True
        while self._waiting:
            self._admit_one(free=True)
        self._rest()

    def _schedule(self) -> None:
        if self._timer is None and self._waiting:
            wait = self._budget.until_probe() if self.is_shut() else TURN
            self._timer = self.loop.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._timer = None
        if not self.is_shut():
            self._admit(FIRST)
        elif self._budget.may_probe():
            self._admit_one(free=True)
        self._schedule()

    def _admit(self, most: int) -> None:
        while most and self._admit_one(free=False):
            most -= 1

    def _admit_one(self, *, free: bool) -> bool:
        """Let the first in the queue go on; tell whether one has gone."""
        while self._waiting:
            ticket, price = next(iter(self._waiting.items()))
            # One that was cancelled meanwhile is gone.
            if not ticket.done():
                if not free and price and not self._budget.take(price):
                    return False
                ticket.set_result(0 if free else price)
            del self._waiting[ticket]
            if ticket.cancelled():
                continue
            if not self._waiting:
                self._rest()
            return True
        self._rest()
        return False

    def _pass_on(self, paid: int) -> None:
        """Give the turn of a call that was cancelled just when it got it to the next one."""
        self._budget.pay_in(paid)
        if self._closed:
            return
        if self.is_shut():
            self._budget.next_probe = 0.0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._schedule()
        else:
            self._admit(1)

    def _rest(self) -> None:
        """Note that none waits."""
        self._budget.holding.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
