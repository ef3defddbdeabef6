"""Encoding a request and decoding answers, alone, against the libraries whose work that is."""

from __future__ import annotations

from .. import answers
from ..cases import Case, Column, Contender, Figures, Scale
from ..contenders import Codec, Written, module_of
from ..timing import timed_work

TITLE = "Codec alone: models to JSON and back"
COLUMNS = (Column("cpu", "µs", 2, less_is_better=True),)
WORK = {"encode": "encode a request", "decode": "decode a link", "page": "decode a page of 100"}
PAGE = answers.page(b"GET /v1/payment-links?page=1&size=100 ", 100_000).partition(b"\r\n\r\n")[2]

CODECS = {
    "plexypay": Written("ours_models"),
    "pydantic": Written("pydantic_models", ("pydantic",)),
    "msgspec": Written("msgspec_models", ("msgspec",)),
    "json, dicts": Written("plain_dicts"),
}


def codec_of(name: str) -> Codec:
    """Return a contender's work on the canned bodies."""
    codec: Codec = module_of(CODECS[name]).codec(answers.BODY, PAGE)
    return codec


def cases(scale: Scale) -> list[Case]:
    """Return a case for each kind of work."""
    contenders = tuple(Contender(name, {"name": name}, written.needs) for name, written in CODECS.items())
    return [
        Case(
            title,
            contenders,
            {"work": work, "seconds": scale.seconds / 4},
            behaviour=None,
            rounds=scale.of(None, 1, 1),
        )
        for work, title in list(WORK.items())[: scale.of(3, 2, 1)]
    ]


def run(_: str, *, name: str, work: str, seconds: float) -> Figures:
    """Run one contender."""
    return {"cpu": timed_work(codec_of(name)[work], seconds)}
