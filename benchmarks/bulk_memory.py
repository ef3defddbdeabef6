"""A million links against ten thousand: the peak memory grows by less than 10 MiB, the rate stays within 5 %.

``python -m benchmarks.bulk_memory [COUNT] [NAME]``; NAME is a contender, ``async`` unless given. Short runs
before and after the long one, so that a machine that slows down meanwhile is seen.
"""

from __future__ import annotations

import sys

from .bulk_contenders import LOOP, measured, median
from .server import served

FEW = 10_000
ROUNDS = 5
MEMORY, RATE = 10.0, 0.05


def main(many: int, name: str) -> bool:
    """Print the figures of both sizes and how they compare; tell whether the bars are met."""
    with served() as url:
        few = [measured(name, url, FEW) for _ in range(ROUNDS)]
        long = measured(name, url, many)
        few += [measured(name, url, FEW) for _ in range(ROUNDS)]
    short = median(few)
    for label, run in ((f"{FEW:,} ({2 * ROUNDS} runs)", short), (f"{many:,}", long)):
        print(f"{label:>20}: {run.rate:8,.0f} links/s {run.cost:7.1f} µs of CPU/link {run.peak:7.1f} MiB")
    grown, change = long.peak - short.peak, long.rate / short.rate - 1
    print(f"{name}, {LOOP}: peak memory {grown:+.1f} MiB (bar {MEMORY}: {said(grown < MEMORY)})")
    print(f"rate {change:+.1%} (bar {RATE:.0%}: {said(abs(change) <= RATE)}), by CPU", end=" ")
    print(f"{short.cost / long.cost - 1:+.1%}")
    return grown < MEMORY and abs(change) <= RATE


def said(met: bool) -> str:
    """Return the word for a bar."""
    return "met" if met else "missed"


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    sys.exit(not main(count, sys.argv[2] if len(sys.argv) > 2 else "async"))
