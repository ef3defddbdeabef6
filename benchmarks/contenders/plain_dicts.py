"""No models: dicts, and the standard library's json."""

from __future__ import annotations

import json

from . import SUCCESS_URL, Codec


def codec(link: bytes, page: bytes) -> Codec:
    """Return what one would write without models."""

    def encode() -> object:
        body = {
            "amount": 100,
            "currency": "KZT",
            "description": "Invoice",
            "orderReference": "ORD-1",
            "metadata": {"successUrl": SUCCESS_URL},
        }
        return json.dumps(body).encode()

    return {"encode": encode, "decode": lambda: json.loads(link), "page": lambda: json.loads(page)}
