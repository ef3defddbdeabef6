# pyright: strict
"""Mistakes with both clients of the Gate API that type checkers must report, each marked. Never run."""

from decimal import Decimal

from plexypay_async import AsyncPlexyGate
from plexypay_async.gate import TopupRequest
from plexypay_sync import PlexyGate


async def asynchronous(gate: AsyncPlexyGate) -> None:
    TopupRequest(amount=10.0, customer_account={})  # E
    TopupRequest(amount="10.00", customer_account={})  # E
    TopupRequest(amount=Decimal(10))  # E
    await gate.orders.create()  # E
    await gate.orders.create(101)  # E
    await gate.orders.create(product_id="101")  # E
    await gate.orders.wait()  # E
    await gate.products.retrieve("101")  # E
    (await gate.orders.retrieve("o_1")).order_content.reveal()  # E
    AsyncPlexyGate("key", agent="0b5f8f5e")  # E


def synchronous(gate: PlexyGate) -> None:
    gate.orders.create(product_id="101")  # E
    gate.orders.list(state="failed")  # E
    gate.orders.retrieve(101)  # E
    gate.balance.retrieve("USD")  # E
