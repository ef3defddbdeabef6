"""Sync `create_many` against async, and async against aiohttp by hand, on a server that answers at once.

``python -m benchmarks.bulk_sync [ROUNDS] [COUNT]``; the bars are 0.9 and 0.9.
"""

from __future__ import annotations

import sys

from .bulk_contenders import LOOP, in_turn, ratio
from .server import served


def main(rounds: int, count: int) -> None:
    """Print the medians and their ratios, on each event loop that is installed."""
    with served() as url:
        for loop in sorted({"asyncio", LOOP}):
            runs = in_turn(("aiohttp by hand", "async", "sync"), url, count, rounds, loop)
            ratio(runs, "sync", "async", 0.9)
            ratio(runs, "async", "aiohttp by hand", 0.9)


if __name__ == "__main__":
    main(*(int(argument) for argument in [*sys.argv[1:], "5", "20000"][:2]))
