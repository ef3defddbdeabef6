"""Payment links made by Celery tasks, whose errors reach the caller whole.

Run a worker, whose processes are forked from one that has the client already::

    pip install celery
    export PLEXYPAY_API_KEY=... SHOP_QUEUE=/tmp/shop
    celery --workdir examples -A celery_tasks worker --pool prefork

and call the tasks from another process with the same two variables::

    from celery_tasks import create_link

    print(create_link.delay("ORD-1", 2_200_000).get(timeout=60))

The queue is a folder here, so that the example needs no broker; in your shop it is RabbitMQ or Redis.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from celery import Celery

from plexypay_sync import PlexyPay

if __name__ == "__main__" or not os.environ.get("PLEXYPAY_API_KEY"):
    sys.exit(__doc__)

queue = Path(os.environ.get("SHOP_QUEUE", "queue")).absolute()
messages, results, control = queue / "messages", queue / "results", queue / "control"
for folder in (messages, results, control):
    folder.mkdir(parents=True, exist_ok=True)

app = Celery("shop", broker="filesystem://", backend=f"file://{results}")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
    },
    # Tasks are called with JSON; errors come back pickled and so whole, with outcome, code and attempts. With
    # "json" their type and text come back. Unpickle only what nobody else can write.
    accept_content=["json"],
    result_serializer=os.environ.get("SHOP_RESULTS", "pickle"),
    result_accept_content=["json", "pickle"],
)

# One client for all tasks; each process of the pool gets connections of its own.
plexy = PlexyPay()


@app.task
def create_link(reference: str, amount: int) -> str:
    """Make an order's payment link and return its address; the amount is in minor units.

    It may run twice for one order, as tasks sometimes do: the reference keeps it from a second link.
    """
    link = plexy.payment_links.create_or_retrieve(amount=amount, currency="KZT", order_reference=reference)
    return link.url
