"""Signed deliveries for tests: the secret, the signature, and mutated ones from a seed."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plexypay_async.webhooks.checkout import CheckoutWebhookReceiver

from .mutations import Delivery, mutated_body

SECRET = "whsec_5d41402abc4b2a76b9719d91"
RECEIVER = CheckoutWebhookReceiver(SECRET)
EXAMPLES = Path(__file__).parents[1] / "contract" / "checkout_examples"
PUBLISHED = (EXAMPLES / "v2.webhook-payment-succeeded.json").read_bytes()
_NAMES = (
    *("payment.succeeded", "payment.failed", "refund.succeeded") * 2,
    *("refund.failed", "PAYMENT.SUCCEEDED"),
    *("", " ", "x:y", "\x1b[2J", "имя", "a" * 300),
)
_EXAMPLE = json.loads(PUBLISHED)


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body: bytes, secret: str = SECRET, *, off: float = 0.0) -> dict[str, str]:
    """Return the headers of a delivery, whose time is so many seconds off."""
    return {"Plexy-Signature": f"t={time.time() + off:.0f},v1={signature(body, secret)}"}


def event(type: object = "payment.succeeded", **fields: Any) -> bytes:
    return json.dumps({**_EXAMPLE, "type": type, **fields}).encode()


def received(body: bytes) -> Any:
    return RECEIVER.receive(signed(body), body)


def deliveries(count: int, seed: int) -> Iterator[Delivery]:
    """Yield so many deliveries; half of them are signed."""
    chance = random.Random(seed)
    for _ in range(count):
        body = mutated_body(chance, (_EXAMPLE,), "type", _NAMES)
        authentic = chance.random() < 0.5
        yield Delivery((_authentic if authentic else _forged)(chance, body), body, authentic)


def _authentic(chance: random.Random, body: bytes) -> dict[Any, Any]:
    parts = [f"t={int(time.time()) + chance.randrange(-200, 200)}", f"v1={signature(body)}"]
    parts += chance.choice([[], [f"v1={'0' * 64}"], ["v0=x"], ["v2=" + "f" * 64], ["nothing"], [""]])
    chance.shuffle(parts)
    value = chance.choice([",", ", ", " ,"]).join(parts)
    name = "".join(chance.choice([str.upper, str.lower])(letter) for letter in "plexy-signature")
    if chance.random() < 0.5:
        return {name.encode(): value.encode()}
    return {name: value, "Authorization": "x"}


def _forged(chance: random.Random, body: bytes) -> dict[Any, Any]:
    now, true = int(time.time()), signature(body)
    place = chance.randrange(64)
    other = "0" if true[place] != "0" else "1"
    value = chance.choice(
        [
            *("", "t=", "v1=", f"v1={true}", f"t={now}", f"t={now},v1=", f"t={now},v0={true}", true),
            *(f"t={now},v1={true[:place]}{other}{true[place + 1 :]}", f"t={now},v1={true[:place]}"),
            *(f"t={now},v1={true}{true}", f"t={now},v1={true.upper()}x", f"t={now},t={now},v1={true}"),
            *(f"t=-{now},v1={true}", f"t={now}.5,v1={true}", f"t={now}{now},v1={true}", f"t=,v1={true}"),
            *(f"t={now - 301},v1={true}", f"t={now + 400},v1={true}", f"t={now},v1={signature(body + b' ')}"),
            *(f"t={now},v1={signature(body, SECRET + 'x')}", f"t={now}," + f"v1={true}," * 17),
            *(f"t={now},v1={true}" + " " * 5000 + ",", f"t={now}\u0663,v1={true}", f"t={now};v1={true}"),
        ]
    )
    kind = chance.randrange(8)
    if kind == 0:
        return {
            chance.choice(["Plexy-Signatures", "X-Plexy-Signature", "Authorization"]): f"t={now},v1={true}"
        }
    if kind == 1:
        return {"Plexy-Signature": f"t={now},v1={true}", "plexy-signature": f"t={now},v1={true}"}
    if kind == 2:
        return {"Plexy-Signature": chance.choice([None, 5, [true], {true}])}
    return {"Plexy-Signature": value if chance.random() < 0.5 else value.encode()}
