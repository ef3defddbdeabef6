"""What a journal costs: throughput with it against without it, on a server that answers in 20 ms.

``python -m benchmarks.bulk_journal [ROUNDS] [COUNT]``; the bar is 0.9. The journal is written where
temporary files go.
"""

from __future__ import annotations

import sys

from .bulk_contenders import in_turn, ratio
from .server import served

LATENCY = 0.02


def main(rounds: int, count: int) -> bool:
    """Print the medians and their ratio; tell whether the bar is met."""
    with served(LATENCY) as url:
        runs = in_turn(("async", "async with journal"), url, count, rounds)
        return ratio(runs, "async with journal", "async", 0.9)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(not main(*[*given, *(5, 20000)[len(given) :]]))
