"""Deliveries for tests: the token, the headers and the bodies of events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plexypay_async import WebhookReceiver

TOKEN = "whk_0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
RECEIVER = WebhookReceiver(TOKEN)
EXAMPLES = Path(__file__).parents[1] / "contract" / "examples"
PUBLISHED = (EXAMPLES / "webhook-transaction.json").read_bytes()


def transaction_event(name: str = "transaction.charged", **data: Any) -> bytes:
    return json.dumps({"name": name, "merchantId": "m", "data": {"id": "txn_1", **data}}).encode()


def received(body: bytes) -> Any:
    return RECEIVER.receive(HEADERS, body)
