"""What is said to users of the library, said to those who speak to the API in another language.

Docstrings are written for Python. A sentence that only a user of the library can follow is replaced here or
left out, and a field is called what it is called on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import attrs

from .fields import wire_name

__all__ = ["wire_words"]

_IN_PLACE: tuple[tuple[str, str], ...] = (
    # What the library does by itself.
    ("Money moves: repeated by the library only where", "Money moves: repeat it only where"),
    ("Never repeated by the library once", "Never repeat it once"),
    (
        "Repeated by the library only where that cannot make a second link: with an `order_reference` it "
        "looks the reference up first; without one it raises `OutcomeUnknownError` when an answer is lost.",
        "A repeat after a lost answer may make a second link: look for the `order_reference` first, "
        "and do not repeat without one.",
    ),
    (
        "the library keeps it over all attempts of a call, and an error of the call has it as "
        "`idempotency_key`",
        "keep it over all repeats",
    ),
    (
        "One is made for the request unless given; give the earlier one to repeat a call of another process.",
        "Make a new UUID for each order, and keep it over all repeats of its request.",
    ),
    (
        "A UUID of version 4 is made for the request unless given; give the earlier one to repeat a call of "
        "another process.",
        "Make a new UUID of version 4 for each order, and keep it over all repeats of its request.",
    ),
    ("; the library asks for 100 unless given", ""),
    (
        " Sent in Unicode's form NFC; one with characters that are not seen is refused, since it would make "
        "a second order.",
        "",
    ),
    (
        "`payments.search` is asked after it, within the same `timeout`, and what it finds is returned; not "
        "where you have given the path yourself.",
        "Ask `payments.search` after it.",
    ),
    (" Where `payments.search` has found it, it is a `Payment`.", ""),
    (
        " Where the server answers a list or a page, the one with the `transaction_id`; or, of those that "
        "name the reference, the newest payment that is no refund: the one with the latest `created_at`, the "
        "first in the server's order where the times do not tell; or else the newest refund that names it; "
        "or, where none names it, the newest payment without a reference.",
        "",
    ),
    (
        "look at its `is_paid`, since",
        "look at its `status`, or at its `success` where it has none, since",
    ),
    (
        "An answer that asks for 3-D Secure is returned, not raised: look at `requires_3ds` first. A decline "
        "raises.",
        "Look first whether the answer asks for 3-D Secure: its `action` is `3ds-required` then, or its "
        "`threeDS.status` is `C`. A decline has a `success` that is false, and a `code`.",
    ),
    (
        "Ask `requires_3ds` before anything else:",
        "Look first whether it asks for 3-D Secure, by its `action` or its `threeDS.status`:",
    ),
    ("Find transactions, and wait for them.", "Find transactions."),
    # Types and values.
    ("this aware datetime on, sent in UTC", "this time on"),
    ("this aware datetime, sent in UTC", "this time"),
    ("an aware datetime, sent in UTC", "in UTC"),
    ("An aware datetime, sent in UTC.", "In UTC."),
    ("A `Decimal` or an `int`, sent as it is given.", "A number."),
    ("a `Decimal` or an `int`", "a number"),
    ('`Decimal("56.41")`', "`56.41`"),
    ("A positive `int`, sent as it is.", "A positive integer."),
    (" The API takes its numbers as strings; an int is written as one.", " Its numbers are strings."),
    ("; sent in capitals", ", in capitals"),
    ("True (the server's default)", "`true` (the server's default)"),
    ("; False leaves", "; `false` leaves"),
    ("Sent as it is; the vendor", "The vendor"),
    ("; sent as it is and read back as received", "; read back as received"),
    (", each item an object under the wire's own names; sent as they are.", "."),
    ("The server judges it, the local clock does not.", "The server judges it."),
    ("None where the server", "nothing where the server"),
    ("may be None", "may be absent or null"),
    ("those it lacks are None", "those it lacks are absent"),
    ("perhaps a mapping", "perhaps an object"),
    # What is found in an object of the library alone.
    ("; of its fields, only `id` is typed, the others are in `raw`", "; of its fields, only `id` is known"),
    ("`, whose fields are unknown: read `raw`", "`, whose fields are unknown"),
    ("; what else it says is in `raw`", ""),
    (" All but `id` is in `raw`.", " All but `id` is unknown."),
    (": everything is in `raw`, an array as `data`.", "."),
    (": everything is in `raw`.", "."),
    (" What is not typed is in `raw`.", ""),
    (" The whole answer is in `raw`, a list as `data`.", ""),
    (
        "an array is read, alone, as `data` or under another likely name, such as `items`, `cardTokens` or "
        "`tokens`; anything else is in `raw`",
        "it may be an array, alone, as `data` or under another name",
    ),
    (
        "An array is read, alone or under whatever name; all else is in `raw`.",
        "It may be an array, alone or under whatever name.",
    ),
    (" Its repr shows the country alone.", ""),
    (" Its repr does not show the code.", ""),
    (" Its repr shows nothing of it. Unlike a `Card` it can be pickled.", ""),
    ("; not shown in the repr", ""),
    (" `encrypt_card` makes one.", ""),
    (", encrypted by `encrypt_cvv`", ", encrypted as the fields of a card are"),
    ("encrypted by `encrypt_card`, with its code", "each field encrypted apart, with its code"),
    (" A `Card` in plain is refused.", ""),
    ("; see `BrowserDetails.from_headers`", ""),
    ("; the client's unless given", ""),
    ("; `Money.major` makes it of major units", ""),
    (" No repr, log or error shows it.", ""),
    (" Its repr shows nothing of it.", ""),
    (" Its repr does not show the order's data.", ""),
    (" What else the answer repeats of the request is in `raw`.", ""),
    (" Its issuers, its group and its configuration are in `raw`.", ""),
    ("Give its `for_browser()` to the page", "Give its `id` and `sessionData` to the page"),
    ("give its `for_browser()` to the page", "give its `id` and `sessionData` to the page"),
    ("hand its `for_browser()` to the browser's SDK", "hand it to the browser's SDK as it is"),
    (
        "A refusal is returned, not raised, and so is an action: look at `requires_action` first, then at "
        "`is_authorised`.",
        "A refusal has a success status too. Look first whether there is an `action`, then at `resultCode`.",
    ),
    (
        "So `state_data` may have only what the SDK is known to give:",
        "So take no more from it than what the SDK is known to give:",
    ),
    (
        "Anything else is refused, an amount and a reference first, and so is a field that the server has "
        "given too. An `order` must be the one that the server has given, by its `pspReference`; it is sent "
        "as the server has it.",
        "Take nothing else, an amount and a reference least of all, and send no `order` but the one that "
        "your server knows.",
    ),
    (
        "Anything else is refused.",
        "Take nothing else from a page.",
    ),
    ("; see `payments.create` for what is refused in it", ""),
    (
        "A refusal is an answer too, and no error: ask `is_authorised`. Ask `requires_action` before "
        "anything else:",
        "A refusal is an answer too, and no error: look at `resultCode`. Look for an `action` before "
        "anything else:",
    ),
    (
        "since the browser says which: ask `is_authorised_for`",
        "since the browser says which: compare its `merchantReference` and its `amount` with your own",
    ),
    # Calls and fields by their short names.
    ("`continue_3ds`", "`direct_payments.continue_3ds`"),
    ("The wallet transaction's `id`", "Its `walletTransactionId`"),
)
_LEFT_OUT = (
    re.compile(r"; override (it|the path) with `paths=\{.*?\}`"),
    re.compile(r'; the same as `metadata\["\w+"\]`'),
    re.compile(r"^Its repr shows nothing of it\. Unlike a `Card` it can be pickled\.$"),
)
_FIELD = re.compile(r"`(\w+_\w+)`")


def wire_words(text: str, package: str) -> str:
    """Return the text of a docstring, of the API with this package, for those who use no Python."""
    text = text.replace("``", "`")
    for python, plain in _IN_PLACE:
        text = text.replace(python, plain)
    for pattern in _LEFT_OUT:
        text = pattern.sub("", text)
    return _FIELD.sub(lambda found: f"`{_wire_names(package).get(found[1], found[1])}`", text)


@cache
def _wire_names(package: str) -> Mapping[str, str]:
    """Return what each field of an API is called on the wire, but for the parameters of paths."""
    return {field.name: wire_name(field) for kind in _kinds(package) for field in attrs.fields(kind)}


def _kinds(package: str) -> Iterator[Any]:
    """Yield the classes of requests and answers, and of the parts of them."""
    names: Mapping[str, str] = getattr(import_module(package), "_NAMES", {})
    for name, room in names.items():
        kind = getattr(import_module(f"{package}.{room}"), name)
        if isinstance(kind, type) and attrs.has(kind):
            yield kind
