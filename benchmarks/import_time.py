"""How long importing the library takes, against `import aiohttp`: the bar is 1.2, for webhooks 0.5.

Run it with ``python -m benchmarks.import_time [ROUNDS]``. Each import is timed in fresh interpreters, the
contenders in turn, and compared by their medians, the start of the interpreter itself taken away.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

CONTENDERS = (
    "pass",
    "import aiohttp",
    "from plexypay_async import AsyncPlexyPay",
    "from plexypay_sync import PlexyPay",
    "import plexypay_async.errors",
    "import plexypay_async.pay.payment_links",
    "import plexypay_async.webhooks",
)


# An installed package comes with its bytecode. From a checkout, this library alone would be compiled anew by
# each interpreter that may not write it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(statement: str) -> float:
    """Time one statement in an interpreter of its own; after a first time, which writes the bytecode."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=ENVIRONMENT)
    return time.perf_counter() - started


def main(rounds: int) -> None:
    """Print the median of each contender and its ratio to aiohttp's."""
    taken: dict[str, list[float]] = {statement: [] for statement in CONTENDERS}
    for statement in CONTENDERS:
        seconds(statement)
    for _ in range(rounds):
        for statement in CONTENDERS:
            taken[statement].append(seconds(statement))
    medians = {statement: statistics.median(times) for statement, times in taken.items()}
    aiohttp, empty = medians["import aiohttp"], medians["pass"]
    print(f"{'median':>9} {'ratio':>6} {'less start':>10}   {rounds} rounds, Python {sys.version.split()[0]}")
    for statement, median in medians.items():
        ratio, own = median / aiohttp, (median - empty) / (aiohttp - empty)
        print(f"{median * 1000:6.1f} ms {ratio:6.2f} {own:10.2f}   {statement}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
