"""Payment links made by several processes: a pool and a single one, all with the client of the parent.

Run it with the start method to use, ``fork``, ``spawn`` or ``forkserver``::

    export PLEXYPAY_API_KEY=...
    python examples/multiprocessing_links.py fork

For links in bulk no processes are needed: ``create_many`` keeps hundreds of requests under way in one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys

from plexypay_sync import CreatePaymentLink, PaymentLink, PlexyPay

METHODS = multiprocessing.get_all_start_methods()
is_usable = len(sys.argv) == 2 and sys.argv[1] in METHODS and os.environ.get("PLEXYPAY_API_KEY")
if __name__ == "__main__" and not is_usable:
    sys.exit(__doc__)

# Forked processes go on with this client, on connections of their own; spawned ones import this file and so
# build another. Processes are given requests and give links or errors back: all of them pickle.
plexy = PlexyPay()


def create(request: CreatePaymentLink) -> PaymentLink:
    """Make one link, or find the one of an earlier run, in whichever process."""
    return plexy.payment_links.create_or_retrieve(
        amount=request.amount, currency=request.currency, order_reference=request.order_reference
    )


def request_for(order: int) -> CreatePaymentLink:
    """Return the request for an order; the amount is in minor units."""
    return CreatePaymentLink(amount=100 * order, currency="KZT", order_reference=f"ORD-{order}")


def main() -> None:
    """Make ten links: one here, eight in a pool, one in a process."""
    context = multiprocessing.get_context(sys.argv[1])
    links = [create(request_for(1))]
    with context.Pool(2) as pool:
        links += pool.map(create, map(request_for, range(2, 10)))
        pool.close()
        pool.join()
    process = context.Process(target=create, args=(request_for(10),))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("the process failed")
    links.append(plexy.payment_links.retrieve_by_order_reference("ORD-10"))
    for link in links:
        print(link.order_reference, link.amount, link.url)


if __name__ == "__main__":
    main()
