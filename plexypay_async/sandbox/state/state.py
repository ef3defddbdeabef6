"""Everything that one sandbox knows, and what changes by the passing of time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from ..clock import Clock
from .acquirer import Acquirer
from .checkout import CheckoutState
from .checkout_payments import StoredCheckoutPayment
from .gate_orders import GateDepositStore, GateOrderStore
from .links import LinkStore
from .records import RecordStore
from .settlement_orders import SettlementOrderStore, StoredSettlementOrder
from .transactions import StoredTransaction, TransactionStore
from .wallet import WalletStore

__all__ = ["Changed", "SandboxState"]

Changed: TypeAlias = StoredTransaction | StoredSettlementOrder | StoredCheckoutPayment
"""What has states that webhooks tell of."""


class SandboxState:
    """The tables of one sandbox, and the payments that change several of them at once.

    Args:
        connection: The database.
        clock: The sandbox's clock.
        changed: Called with what is in a new state, in the same database transaction.
    """

    schemas = tuple(
        store.schema
        for store in (
            *(LinkStore, TransactionStore, WalletStore, SettlementOrderStore, RecordStore),
            *(GateDepositStore, GateOrderStore),
            *CheckoutState.stores,
        )
    )

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, changed: Callable[[Changed], None]
    ) -> None:
        self.clock = clock
        self.links: LinkStore = LinkStore(connection, clock)
        self.transactions: TransactionStore = TransactionStore(connection, clock, changed)
        self.wallet: WalletStore = WalletStore(connection, clock)
        self.settlement_orders: SettlementOrderStore = SettlementOrderStore(connection, clock, changed)
        self.records: RecordStore = RecordStore(connection)
        self.gate_deposits: GateDepositStore = GateDepositStore(connection, clock)
        self.gate_orders: GateOrderStore = GateOrderStore(connection, clock)
        self.checkout: CheckoutState = CheckoutState(connection, clock, changed)
        self.acquirer: Acquirer = Acquirer(self.transactions, self.links)

    def pass_time(self) -> int | None:
        """Make the changes that are due and have webhooks, and return when the next is due."""
        telling = (self.transactions, self.settlement_orders)
        for table in telling:
            table.catch_up()
        return min((at for table in telling if (at := table.next_change_at()) is not None), default=None)

    def clear(self) -> None:
        """Forget everything."""
        for store in (
            *(self.links, self.transactions, self.wallet, self.settlement_orders, self.records),
            *(self.gate_deposits, self.gate_orders),
            self.checkout,
        ):
            store.clear()
