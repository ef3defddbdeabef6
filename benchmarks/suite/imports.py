"""How long imports take in a fresh interpreter, and whether they load aiohttp."""

from __future__ import annotations

import subprocess
import sys

from ..cases import Case, Column, Contender, Figures, Scale
from ..import_time import CONTENDERS, ENVIRONMENT, seconds

TITLE = "Imports, in a fresh interpreter"
COLUMNS = (
    Column("ms", "ms", 1, less_is_better=True),
    Column("own", "ms, start taken away", 1),
    Column("aiohttp", "loads aiohttp"),
)
START = "pass"
WEBHOOKS = "import plexypay_async.webhooks"
OTHERS = {
    "import httpx": ("httpx",),
    "import requests": ("requests",),
    "import stripe": ("stripe",),
    "from square import AsyncSquare": ("square",),
}
CASE = "imports"


def cases(scale: Scale) -> list[Case]:
    """Return the one case."""
    known = [Contender(statement, {"statement": statement}) for statement in CONTENDERS if statement != START]
    webhooks = Contender(WEBHOOKS, {"statement": WEBHOOKS}, ("plexypay_async.webhooks",))
    others = [Contender(statement, {"statement": statement}, needs) for statement, needs in OTHERS.items()]
    contenders = scale.of([*known, webhooks, *others], [*known[:2], webhooks], [*known[:2], webhooks])
    return [Case(CASE, tuple(contenders), behaviour=None, rounds=scale.of(15, 2, 1))]


def run(_: str, *, statement: str) -> Figures:
    """Time one import, and the start of an interpreter right after it."""
    # It comes first, so that what is timed finds the bytecode.
    loads = f"{statement}; import sys; sys.exit('aiohttp' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], check=False, env=ENVIRONMENT)
    taken, start = seconds(statement), seconds(START)
    return {"ms": taken * 1e3, "own": (taken - start) * 1e3, "aiohttp": float(loaded.returncode)}
