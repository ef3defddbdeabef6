"""An agent that sells vouchers: each sale is ordered once, however often the command is run, and shown once.

export PLEXYPAY_GATE_API_KEY=... PLEXYPAY_GATE_AGENT_ID=... PLEXYPAY_GATE_BASE_URL=https://...
python examples/voucher_agent.py                     what can be sold, and what there is to spend
python examples/voucher_agent.py INV-1001 101        sells the product 101 as INV-1001, and prints its code

The book of sales never has a code in it: who has lost one must ask the vendor.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import uuid
from contextlib import closing

from plexypay_async import AsyncPlexyGate, Outcome, PlexyPayError

BOOK = os.environ.get("AGENT_DATABASE", "agent.sqlite")


class Book:
    """The sales, each with the key that makes its order one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS sales"
            " (reference TEXT PRIMARY KEY, product INTEGER, key TEXT, order_id TEXT, shown INTEGER DEFAULT 0)"
        )

    def key_of(self, reference: str, product: int) -> str:
        """Return the key of a sale, which is on the disk before anything is ordered with it."""
        with self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO sales (reference, product, key) VALUES (?, ?, ?)",
                (reference, product, str(uuid.uuid4())),
            )
        sold, key = self._connection.execute(
            "SELECT product, key FROM sales WHERE reference = ?", (reference,)
        ).fetchone()
        if sold != product:
            raise SystemExit(f"{reference} is a sale of the product {sold}")
        return str(key)

    def order_of(self, reference: str) -> str | None:
        """Return the id of a sale's order, once it is known: the API may forget a key in time."""
        (order_id,) = self._connection.execute(
            "SELECT order_id FROM sales WHERE reference = ?", (reference,)
        ).fetchone()
        return None if order_id is None else str(order_id)

    def ordered(self, reference: str, order_id: str) -> None:
        """Note the id of a sale's order, so that it is never ordered again."""
        with self._connection:
            self._connection.execute(
                "UPDATE sales SET order_id = ? WHERE reference = ?", (order_id, reference)
            )

    def show(self, reference: str) -> bool:
        """Note that a sale's code is shown; tell whether it is for the first time."""
        with self._connection:
            return (
                self._connection.execute(
                    "UPDATE sales SET shown = 1 WHERE reference = ? AND NOT shown", (reference,)
                ).rowcount
                == 1
            )


async def show_catalogue(gate: AsyncPlexyGate) -> None:
    """Print the products, and the balance of each currency."""
    codes = {kind.id: kind.code async for kind in gate.product_types.list()}
    async for product in gate.products.list():
        kind = codes.get(product.product_type_id or 0, "unknown")
        print(f"{product.id}\t{product.name}\t{kind}\t{product.price} {product.currency_code}")
    for balance in (await gate.balance.retrieve()).items:
        print(f"to spend: {balance.available} {balance.currency_code}")


async def sell(gate: AsyncPlexyGate, book: Book, reference: str, product: int) -> int:
    """Sell a product, and print what was bought, once; return the status to exit with."""
    key = book.key_of(reference, product)
    order_id = book.order_of(reference)
    if order_id is None:
        made = await gate.orders.create(product_id=product, external_ref=reference, idempotency_key=key)
        book.ordered(reference, order_id := made.id)
    order = await gate.orders.wait(order_id, timeout=300)
    if order.status != "completed":
        print(f"{reference}: {order.status}, nothing was charged", file=sys.stderr)
        return 1
    if order.order_content is None:
        print(f"{reference}: it is paid, and its code is not there: ask the vendor", file=sys.stderr)
        return 1
    if not book.show(reference):
        print(f"{reference}: its code was shown already", file=sys.stderr)
        return 1
    print(f"{reference}: {order.order_content.reveal().get('voucher_code', 'delivered')}")
    return 0


async def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    if arguments and not (len(arguments) == 2 and arguments[1].isdecimal()):
        sys.exit(__doc__)
    with closing(sqlite3.connect(BOOK)) as connection:
        try:
            async with AsyncPlexyGate() as gate:
                if not arguments:
                    await show_catalogue(gate)
                    return 0
                reference, product = arguments
                return await sell(gate, Book(connection), reference, int(product))
        except PlexyPayError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            if error.outcome is Outcome.UNKNOWN:
                print("run the same command again: it orders nothing twice", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
