"""What a journal costs: throughput with it against without it, on a server that answers in 20 ms.

``python -m benchmarks.bulk_journal [ROUNDS] [COUNT]``; the bar is 0.9. The journal is written where
temporary files go.
"""

from __future__ import annotations

import sys

from .bulk_contenders import in_turn, ratio
from .server import served

LATENCY = 0.02


def main(rounds: int, count: int) -> None:
    """Print the medians and their ratio."""
    with served(LATENCY) as url:
        runs = in_turn(("async", "async with journal"), url, count, rounds)
        ratio(runs, "async with journal", "async", 0.9)


if __name__ == "__main__":
    main(*(int(argument) for argument in [*sys.argv[1:], "5", "20000"][:2]))
