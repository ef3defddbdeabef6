"""`create_partition` under a real engine, Dask's `distributed`, each job in a process group of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.docs.blocks import run_by
from tests.needs import needs

from .served import ServedSandbox

pytestmark = needs("distributed")

ROOT = Path(__file__).parents[2]
(EXAMPLE,) = run_by(__file__)
LIMIT = 120.0
"""Seconds after which a job is killed with all of its workers."""

Run: TypeAlias = Callable[..., str]


@pytest.fixture
def run(sandbox: ServedSandbox) -> Iterator[Run]:
    """Run Python with a sandbox in its environment, and return what it printed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, directory: Path = ROOT) -> str:
        environment = os.environ | {
            "PLEXYPAY_API_KEY": sandbox.api_key,
            "PLEXYPAY_BASE_URL": sandbox.base_url,
            "PYTHONPATH": str(ROOT),
        }
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        out, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, err
        return out

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_a_worker_killed_in_mid_run_loses_nothing_and_repeats_nothing(
    sandbox: ServedSandbox, run: Run, tmp_path: Path
) -> None:
    # So slow that a partition is in its middle for seconds; the worker's end makes it quick.
    sandbox.add_fault("latency=0.2")

    report: dict[str, Any] = json.loads(
        run("-m", "tests.partition.lost_worker", sandbox.base_url, str(tmp_path))
    )

    rows, lost = 40, report["lost"]
    expected = [[f"D-{number}-{row}" for row in range(rows)] for number in range(6)]
    partitions = report["records"]
    assert report["survivors"] == 1
    assert [[record["order_reference"] for record in records] for records in partitions] == expected
    outcomes = [Counter(record["outcome"] for record in records) for records in partitions]
    # What the lost worker had created was found by the one that ran its partition again.
    assert outcomes[lost]["recovered"] >= 10
    assert all(found["created"] + found["recovered"] == rows for found in outcomes)
    references = sandbox.references()
    assert len(references) == len(set(references)) == 6 * rows
    assert len({record["link_id"] for records in partitions for record in records}) == 6 * rows


def test_the_guides_example_runs(sandbox: ServedSandbox, run: Run, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(EXAMPLE)
    for number in range(3):
        lines = [
            {"amount": 100 + row, "currency": "KZT", "order_reference": f"G-{number}-{row}"}
            for row in range(20)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"invoices-{number}.jsonl").write_text(text)

    run("job.py", directory=tmp_path)
    run("job.py", directory=tmp_path)

    written = sorted(tmp_path.glob("links-*.jsonl"))
    records = [json.loads(line) for file in written for line in file.read_text().splitlines()]
    assert len(written) == 3
    assert Counter(record["outcome"] for record in records) == {"recovered": 60}
    assert len(sandbox.references()) == len(set(sandbox.references())) == 60
    assert sandbox.count("payment_links.create") == 60
