"""The same as `create`, `sync` and `bulk`, over TLS 1.3: warm, in the first second, and in a whole short job.

A call on an open connection pays for records; a program's first second pays for handshakes, and so does a
job of a thousand links, which opens a hundred connections: it is timed from nothing but imports to the last
link, the client's construction included.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import time
from typing import Any

from ..bulk_contenders import CONTENDERS, WIDER, run_on
from ..cases import Case, Column, Figures, Scale
from ..certificates import NEEDS
from ..contenders import ASYNC, opened_async
from ..server import Behaviour
from ..timing import clock, figures_of, on_both_loops
from . import create, sync

TITLE = "Over TLS 1.3"
COLUMNS = (
    Column("rate", "calls/s"),
    Column("cpu", "µs CPU/call", 1),
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
)
TLS = Behaviour(tls=True)
JOBS = {**CONTENDERS, **WIDER}
ON_MORE, BY_HAND_ON_MORE = WIDER
"""The jobs on more connections than a client opens unless it is told to."""
LATENCY = 0.05
LINKS = 1_000
FIRST = (10, 100)
"""How many calls are under way at once in the cases of a first second."""
ROUNDS = 15
"""Of what lasts a second or less, at full scale."""
IMPORTED = {
    "plexypay_async": ("AsyncPlexyPay", "CreatePaymentLink"),
    "plexypay_async._wire.codec": (),
    "plexypay_async.bulk.job": (),
    "plexypay_sync": ("PlexyPay",),
    "aiohttp": ("ClientSession",),
    "orjson": ("dumps",),
}
"""What the scripts of a job's contenders import, before the clock starts.

This library loads by name, and what makes calls and jobs at the first of them: 18 ms, its imports too.
"""


def first_name(concurrency: int) -> str:
    """Return the name of a case of a first second."""
    return f"first second, {concurrency} at once"


def job_name(links: int, *, warm: bool = False) -> str:
    """Return the name of the case of a whole job: the first of its process, or one after a single link."""
    return f"job of {links:,} links, {LATENCY * 1e3:.0f} ms{', warm' if warm else ''}"


def cases(scale: Scale) -> list[Case]:
    """Return the cases: those of `create` and of `sync`, the first second, and the job."""
    rounds = ROUNDS if scale.name == "full" else None
    by_hand = tuple(
        contender
        for name in ("plexypay", "aiohttp by hand")
        for contender in on_both_loops(name, *ASYNC[name].needs)
        if scale.name == "full" or contender.options["loop"] == "uvloop"
    )
    jobs = scale.of(
        ("async", "aiohttp by hand", "sync", *WIDER), ("async", "aiohttp by hand", *WIDER), tuple(JOBS)
    )
    links = scale.of(LINKS, LINKS, 50)
    first = [
        Case(first_name(concurrency), by_hand, {"kind": "first", "concurrency": concurrency}, rounds=rounds)
        for concurrency in scale.of(FIRST, FIRST[1:], FIRST[:1])
    ]
    whole = [
        Case(
            job_name(links, warm=warm),
            tuple(on_both_loops(name)[0] for name in jobs),
            {"kind": "job", "links": links, "warm": warm},
            TLS._replace(latency=LATENCY),
            rounds=rounds,
        )
        for warm in scale.of((False, True), (False,), (False,))
    ]
    found = [
        *(case._replace(options={**case.options, "kind": "create"}) for case in create.cases(scale)),
        *(case._replace(options={**case.options, "kind": "sync"}) for case in sync.cases(scale)),
        *(case._replace(options={**case.options, "seconds": scale.of(1.0, 1.0, 0.02)}) for case in first),
        *whole,
    ]
    return [_over_tls(case) for case in found]


def _over_tls(case: Case) -> Case:
    contenders = tuple(each._replace(needs=(*each.needs, *NEEDS)) for each in case.contenders)
    behaviour = (case.behaviour or TLS)._replace(tls=True)
    return case._replace(contenders=contenders, behaviour=behaviour)


def run(url: str, *, kind: str, **options: Any) -> Figures:
    """Run one contender."""
    if kind == "first":
        return first_second(url, **options)
    if kind == "job":
        return job(url, **options)
    if kind == "create":
        return create.run(url, **options)
    return sync.run(url, **options)


def first_second(url: str, *, name: str, loop: str, concurrency: int, seconds: float) -> Figures:
    """Make calls from nothing on: the client is made, and its connections are opened, in that second."""
    taken: list[float] = []

    async def main() -> None:
        numbers = itertools.count()

        async with opened_async(name, url, concurrency) as make:

            async def work() -> None:
                ended = began
                while ended < began + seconds:
                    started = ended
                    await make(next(numbers))
                    ended = clock()
                    taken.append(ended - started)

            await asyncio.gather(*(work() for _ in range(concurrency)))

    importlib.import_module(f"benchmarks.contenders.{ASYNC[name].module}")
    began, cpu = clock(), time.process_time()
    run_on(loop, main())
    return figures_of(taken, clock() - began, time.process_time() - cpu)


def job(url: str, *, name: str, loop: str, links: int, warm: bool) -> Figures:
    """Run a whole job from nothing on but imports, or in a process that has run one of a single link."""
    for module, names in IMPORTED.items():
        imported = importlib.import_module(module)
        for each in names:
            getattr(imported, each)
    if warm:
        JOBS[name](url, 1, loop)
    began, cpu = clock(), time.process_time()
    JOBS[name](url, links, loop)
    seconds, used = clock() - began, time.process_time() - cpu
    return {"rate": links / seconds, "cpu": used / links * 1e6}
