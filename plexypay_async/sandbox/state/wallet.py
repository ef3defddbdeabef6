"""Wallet transactions in the database. Amounts are integers of minor units."""

from __future__ import annotations

from typing import Any

import attrs

from .table import Table

__all__ = ["StoredWalletTransaction", "WalletStore"]


@attrs.define
class StoredWalletTransaction:
    """One row of the wallet's transactions."""

    id: str
    status: str
    order_reference: str | None
    amount: int
    currency: str
    refunded: int = attrs.field(metadata={"sql": "DEFAULT 0"})
    idempotency_key: str = attrs.field(metadata={"sql": "UNIQUE"})
    request: str
    """The body that it was made with, in its canonical form."""

    def shown(self) -> dict[str, Any]:
        """Return the transaction as the API shows it."""
        return {
            "walletTransactionId": self.id,
            "walletTransactionStatus": self.status,
            "orderReference": self.order_reference,
            "amount": self.amount,
            "currency": self.currency,
        }


class WalletStore(Table[StoredWalletTransaction], name="wallet_transactions", row=StoredWalletTransaction):
    """The wallet transactions of one sandbox, in the order of their creation."""
