"""Files of invoices, damaged at random, against a server that counts: no wrong link with exit code 0.

What no reader can know is left out of the damages, or is a truth of its own:

- a digit of an amount replaced by another, digits of a reference in the place of the amount, and a text in
  the place of a reference: each is as good a cell as the true one;
- a reference's leading zeros, its digits after the fifteenth and its letters that an encoding does not have
  (``?`` stands there): what is left is a reference like any other. Where two orders have become one by that,
  it is told;
- decimals that have become the cell of a reference or of metadata behind the amount, in a row that has lost
  another cell: its cells are as many as they should be;
- rows that are gone with their lines: a file cut exactly at a line's end. A file that is cut elsewhere has a
  last line that is no row, or one whose last cell may be a part: that gives exit code 1, unless that cell
  is a description, or is shown to be whole by a closing quote or a currency's third letter.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.progress import PlainProgress

from .counting_server import CountingServer
from .damaged_files import DamagedFile, damaged_file
from .true_invoices import folded

FILES = 5000
PARTS = 4
IN_ORDINARY_TESTS = 150


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    monkeypatch.setattr(PlainProgress, "interval", 3600)
    with CountingServer() as serving:
        monkeypatch.setenv("PLEXYPAY_BASE_URL", serving.base_url)
        yield serving


def run(
    seed: int, file: DamagedFile, server: CountingServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Run a job over a file, for an account of its own; return its exit code if nothing is wrong."""
    chances = random.Random(-seed - 1)
    account = f"account-{seed}"
    monkeypatch.setenv("PLEXYPAY_API_KEY", account)
    path, results = folder / file.name, folder / f"{seed}.results.jsonl"
    path.write_bytes(file.data)
    arguments = ["bulk-create", str(path), "--results", str(results)]
    allow_repeats = chances.random() < 0.15
    arguments += ["--allow-repeats"] * allow_repeats
    arguments += ["--strict"] * (chances.random() < 0.2)
    with_journal = chances.random() < 0.3
    if with_journal:
        arguments += ["--journal", str(folder / f"{seed}.journal")]
    server.at_first_create = None
    if file.appended:
        server.at_first_create = lambda: path.write_bytes(file.data + file.appended)
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        code = main(arguments)
        again = code
        if with_journal and chances.random() < 0.4:
            again = main(arguments)
    links = server.links.get(account, [])
    context = f"seed {seed}, {file.damages}, {arguments[2:]}, code {code}:\n{told.getvalue()}\n{file.data!r}"

    assert again in (code, 1) or file.appended, f"run again: {again}, {context}"
    made = Counter(folded(link["orderReference"]) for link in links)
    assert max(made.values(), default=1) == 1, f"an order has two links: {context}"
    if code == 0 or not (file.rows_are_torn or file.rows is None):
        for link in links:
            truth = file.truth.get(folded(link["orderReference"]), set())
            assert (link["amount"], link["currency"]) in truth, f"a wrong link: {link}, {context}"
    if code == 0:
        assert file.needed <= set(made), f"rows are missing: {file.needed - set(made)}, {context}"
        assert not file.appended or not links, f"what was appended is not told: {context}"
        rows = list(map(json.loads, results.read_text().splitlines()))
        repeated = sum(row["outcome"] == "repeated" for row in rows)
        assert allow_repeats or not repeated, f"rows share a link: {context}"
        assert file.rows in (None, len(links) + repeated), f"rows are not told of: {context}"
    elif not file.damages:
        pytest.fail(f"a file that is well is refused: {context}")
    return code


# At least a fifth of the files must end with exit code 0: to refuse them all would prove nothing.
def run_all(
    seeds: range, server: CountingServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Counter[int]:
    return Counter(run(seed, damaged_file(seed), server, folder, monkeypatch) for seed in seeds)


def test_a_hundred_and_fifty_damaged_files(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = run_all(range(IN_ORDINARY_TESTS), server, tmp_path, monkeypatch)
    assert codes[0] >= IN_ORDINARY_TESTS // 5


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_five_thousand_damaged_files(
    part: int, server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = FILES // PARTS
    codes = run_all(range(part * size, (part + 1) * size), server, tmp_path, monkeypatch)
    print(f"{size} files, exit codes {dict(codes)}")
    assert codes[0] >= size // 5
