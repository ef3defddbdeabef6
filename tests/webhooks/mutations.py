"""Deliveries as nobody sends them: a seeded source of mutated headers, tokens and bodies."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from .deliveries import EXAMPLES, TOKEN

MEBIBYTE = 2**20
_EXAMPLES = [json.loads(path.read_bytes()) for path in sorted(EXAMPLES.glob("webhook-*.json"))]
_NAMES = [
    *(f"transaction.{status}" for status in ("created", "authorized", "rejected", "failed", "charged")),
    *(f"payment_order.{status}" for status in ("created", "paid", "failed")),
    *("transaction.3d", "TRANSACTION.CHARGED", "transaction.", "x:y", "\x1b[2J", "", "имя", "a" * 300),
]
_ABSURD: list[Any] = [
    *(None, True, False, 0, -1, 5, 2**63, 2**64, -(2**70), 10**29, 10**40, 1.5, 1e308, -0.0, 1e-320),
    *("", " ", "x", "100", "-1e5", "NaN", "0x10", "\0", "\n", "\x1b[31m", "\u202e", "ÿ", "\U0001f600"),
    *("2024-04-01T12:00:00Z", "9999-12-31T23:59:59-14:00", "0000-00-00", "9" * 5000, "x" * 70_000),
    *(
        [],
        {},
        [[]],
        [None],
        {"Value": None},
        {"Value": 5},
        {"Value": {"Value": "x"}},
        {"value": "x"},
        {"": ""},
    ),
    *(["x"] * 3, {"id": "x"}, [{"id": 1}] * 50, {str(number): number for number in range(50)}),
]
_TOKENS = b'{}[],:"\\/0123456789.eE+-tfnu \n\t\0\xff\xc3\xa9\xed\xa0\x80'


@attrs.frozen
class Delivery:
    """A delivery, and whether it carries the token."""

    headers: dict[Any, Any]
    body: bytes
    authentic: bool


def deliveries(count: int, seed: int) -> Iterator[Delivery]:
    """Yield so many deliveries; half of them carry the token."""
    chance = random.Random(seed)
    for _ in range(count):
        authentic = chance.random() < 0.5
        headers = (_authentic if authentic else _forged)(chance)
        for _ in range(chance.randrange(3)):
            headers[chance.choice(["Host", "X-Authorization", "Cookie", b"x", 5])] = chance.choice(
                [TOKEN, "", b"\xff", None]
            )
        yield Delivery(headers, mutated_body(chance), authentic)


# ---------------------------------------------------------------------------------------------- headers


def _cased(chance: random.Random, text: str) -> str:
    return "".join(letter.upper() if chance.random() < 0.5 else letter.lower() for letter in text)


def _as_bytes_or_text(chance: random.Random, text: str) -> str | bytes:
    return text if chance.random() < 0.5 else text.encode("utf-8", "surrogatepass")


def _header(chance: random.Random, value: str) -> dict[Any, Any]:
    name = _as_bytes_or_text(chance, _cased(chance, "authorization"))
    return {name: _as_bytes_or_text(chance, value)}


def _authentic(chance: random.Random) -> dict[Any, Any]:
    scheme = chance.choice(["", _cased(chance, "bearer") + chance.choice([" ", "\t", "   "])])
    return _header(chance, chance.choice(["", " "]) + scheme + TOKEN + chance.choice(["", " ", "\t"]))


def _forged(chance: random.Random) -> dict[Any, Any]:
    kind = chance.randrange(8)
    if kind == 0:
        return {}
    if kind == 1:
        return {
            **_header(chance, TOKEN),
            "AUTHORIZATION_": TOKEN,
            "authoriZation": TOKEN,
            b"authorization": b"",
        }
    if kind == 2:
        return {
            chance.choice(["Authorization", b"authorization"]): chance.choice([None, 5, [TOKEN], {TOKEN}])
        }
    token = TOKEN
    while token.strip(" \t") == TOKEN:
        token = _mutated_token(chance)
    scheme = chance.choice(["", "Bearer ", "bearer", "Bearer Bearer ", "Token ", "Basic ", "Bearer\u00a0"])
    return _header(chance, scheme + token)


def _mutated_token(chance: random.Random) -> str:
    letters = list(TOKEN)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(letters) + 1)
        change = chance.randrange(4)
        if change == 0:
            letters.insert(place, chr(chance.choice([0, 32, 65, 95, 255, 0x2028, 0xDC80, 0x1F600])))
        elif change == 1 and letters:
            del letters[place:]
        elif change == 2 and letters:
            place %= len(letters)
            letters[place] = chr(ord(letters[place]) ^ (1 << chance.randrange(7)))
        else:
            letters = letters[::-1] if chance.random() < 0.2 else [*letters, *letters[:place]]
    return "".join(letters)


# ----------------------------------------------------------------------------------------------- bodies


def mutated_body(
    chance: random.Random,
    examples: Sequence[Any] = _EXAMPLES,
    named: str = "name",
    names: Sequence[str] = _NAMES,
) -> bytes:
    """Return a body made of one of the examples, in which the field `named` may have one of the names."""
    kind = chance.random()
    if kind < 0.01:
        return chance.choice(_HUGE)(chance)
    if kind < 0.02:
        return chance.randbytes(chance.randrange(2000))
    body = _written(chance, _document(chance, examples, named, names))
    if kind < 0.5:
        return body
    data = bytearray(body)
    for _ in range(chance.randrange(1, 6)):
        _mutate(chance, data)
    return bytes(data)


def _document(chance: random.Random, examples: Sequence[Any], named: str, names: Sequence[str]) -> Any:
    document = json.loads(json.dumps(chance.choice(examples)))
    if chance.random() < 0.5:
        document[named] = chance.choice(names)
    for _ in range(chance.randrange(4)):
        inside = document
        if chance.random() < 0.8 and type(document.get("data")) is dict:
            inside = document["data"]
        if not inside:
            continue
        field = chance.choice(list(inside))
        change = chance.randrange(4)
        if change == 0:
            del inside[field]
        elif change == 1:
            inside[str(chance.choice(_ABSURD))[:50]] = inside[field]
        else:
            inside[field] = copy.deepcopy(chance.choice(_ABSURD))
    if chance.random() < 0.02:
        return chance.choice(_ABSURD)
    return document


def _written(chance: random.Random, document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return text.encode()


def _mutate(chance: random.Random, data: bytearray) -> None:
    place, other = chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)
    begin, end = min(place, other), min(max(place, other), min(place, other) + 40)
    change = chance.randrange(5)
    if change == 0:
        del data[begin:end]
    elif change == 1:
        data[place:place] = data[begin:end]
    elif change == 2:
        data[place:place] = bytes(chance.choices(_TOKENS, k=chance.randrange(1, 4)))
    elif change == 3 and place < len(data):
        data[place] ^= 1 << chance.randrange(8)
    else:
        piece = chance.choice([b"[", b'{"a":', b"1e9", b'"\\ud800"', b"7"])
        data[place:place] = piece * chance.randrange(1, 60)


def _of(piece: bytes, beginning: bytes = b"[", end: bytes = b"0]") -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        # Around both bounds: that of the values and that of the bytes.
        most = chance.choice([400, 950, 1_900, MEBIBYTE])
        times = min(most, (MEBIBYTE + chance.randrange(-3, 2) - len(beginning) - len(end)) // len(piece))
        inner = beginning + piece * times + end
        return chance.choice([inner, b'{"name":"x","data":' + inner[:-20] + inner[-20:] + b"}"])

    return make


def _many_fields(chance: random.Random) -> bytes:
    fields = b",".join(b'"%x":%d' % (number, number) for number in range(chance.choice([600, 1_900, 60_000])))
    return b'{"name":"transaction.charged","data":{"id":"t",' + fields + b"}}"


_HUGE: list[Callable[[random.Random], bytes]] = [
    _of(b"[],"),
    _of(b"{},"),
    _of(b'{"a":1},'),
    _of(b"1.5,"),
    _of(b"1,"),
    _of(b"9" * 30 + b","),
    _of(b"9" * 3000 + b","),
    _of(b"0." + b"7" * 28 + b","),
    _of(b"0." + b"7" * 3000 + b","),
    _of(b"2.2250738585072011e-308,"),
    _of(b"7e-" + b"9" * 27 + b","),
    _of(b'"",'),
    _of(b'"' + b"\\u00e9" * 8 + b'",'),
    _of(b"[", b"", b""),
    _of(b'{"a":', b"", b""),
    _of(b"\\u0416", b'"', b'"'),
    _of("ж".encode(), b'"', b'"'),
    _of(b"9", b"", b""),
    _of(b" ", b"{", b"}"),
    _many_fields,
]
