"""Sync `create_many` against async, and async against aiohttp by hand, on a server that answers at once.

``python -m benchmarks.bulk_sync [ROUNDS] [COUNT]``; the bars are 0.9 and 0.9.
"""

from __future__ import annotations

import sys

from .bulk_contenders import LOOP, in_turn, ratio
from .server import served


def main(rounds: int, count: int) -> bool:
    """Print the medians and their ratios on each event loop; tell whether the sync facade meets its bar."""
    met = True
    with served() as url:
        for loop in sorted({"asyncio", LOOP}):
            runs = in_turn(("aiohttp by hand", "async", "sync"), url, count, rounds, loop)
            met = ratio(runs, "sync", "async", 0.9) and met
            ratio(runs, "async", "aiohttp by hand", 0.9)
    return met


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(not main(*[*given, *(5, 20000)[len(given) :]]))
