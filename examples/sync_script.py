"""A plain script: create a payment link for an order, wait until it is paid, say what else is still open.

Run it with an account, or against ``plexypay sandbox`` with the two lines that it prints::

    export PLEXYPAY_API_KEY=...
    python examples/sync_script.py ORD-1 2200000

The amount is in minor units: 22 000 KZT. The same command may be run again: an order has one link.
"""

from __future__ import annotations

import argparse
import sys

from plexypay_sync import (
    DeadlineExceededError,
    Outcome,
    PlexyPay,
    PlexyPayError,
)

PATIENCE = 900
"""Seconds to wait for the customer."""


def main() -> int:
    """Run the script and return its exit status."""
    parser = argparse.ArgumentParser(description="Create a payment link, and wait until it is paid.")
    parser.add_argument("reference", help="the order's, such as ORD-1")
    parser.add_argument("amount", type=int, help="in minor units: 2200000 is 22 000 KZT")
    arguments = parser.parse_args()
    reference: str = arguments.reference
    try:
        with PlexyPay() as plexy:
            link = plexy.payment_links.create_or_retrieve(
                amount=arguments.amount, currency="KZT", order_reference=reference
            )
            print(f"pay {link.amount / 100:.2f} {link.currency} at {link.url}", flush=True)
            transaction = plexy.transactions.wait(payment_link_id=link.id, timeout=PATIENCE)
            print(f"{reference} is {transaction.status}")
            for item in plexy.payment_links.list(status="active"):
                print(f"open: {item.order_reference}, {item.amount / 100:.2f} {item.currency}")
    except DeadlineExceededError as error:
        print(f"not paid yet: {error}", file=sys.stderr)
        return 1
    except PlexyPayError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if error.outcome in (Outcome.UNKNOWN, Outcome.DONE):
            print("a link may have been made: run the same command again to find it", file=sys.stderr)
        return 1
    return 0 if transaction.is_paid else 1


if __name__ == "__main__":
    sys.exit(main())
