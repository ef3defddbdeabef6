"""A job on two Dask workers, one of which is killed in the middle of a partition.

Run as ``python -m tests.partition.lost_worker BASE_URL DIRECTORY``; prints the records as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from distributed import Client, LocalCluster

from plexypay_async.bulk import PartitionSettings, create_partition

from .served import ServedSandbox

PARTITIONS, ROWS = 6, 40
ENOUGH = 10
"""Links of one partition after which its worker is killed; far from its end."""


def partitions() -> list[list[dict[str, Any]]]:
    return [
        [
            {"amount": 1 + row, "currency": "KZT", "order_reference": f"D-{number}-{row}"}
            for row in range(ROWS)
        ]
        for number in range(PARTITIONS)
    ]


def partition_under_way(sandbox: ServedSandbox) -> int:
    """Wait until some partition is in its middle, and return its number."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        made = [int(reference.split("-")[1]) for reference in sandbox.references()]
        for number in set(made):
            if ENOUGH <= made.count(number) < ROWS - ENOUGH:
                return number
        time.sleep(0.005)
    raise TimeoutError("no partition was seen in its middle")


def main(base_url: str, directory: str) -> None:
    sandbox = ServedSandbox(base_url)
    settings = PartitionSettings(base_url=base_url, concurrency=2, timeout=60)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=directory,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        processes: dict[str, int] = client.run(os.getpid)
        futures = client.map(create_partition, partitions(), settings=settings)
        lost = partition_under_way(sandbox)
        [worker] = [at for at, keys in client.processing().items() if futures[lost].key in keys]
        os.kill(processes[worker], signal.SIGKILL)
        sandbox.behave()
        records = client.gather(futures)
        survivors = set(client.run(os.getpid).values()) & set(processes.values())
        print(json.dumps({"lost": lost, "records": records, "survivors": len(survivors)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
