"""``python -m benchmarks [NAME ...]``: measure this library against what a user would pick instead.

Each contender runs in a fresh process on one core against a server on another, in turn with its rivals.
Without names all benchmarks run, which takes about an hour; with ``--quick``, under a minute.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import cases, report, turns
from .cases import Result, Scale
from .picture import DRAWN, drawn

SCALES = {scale.name: scale for scale in (cases.FULL, cases.QUICK, cases.SMOKE)}


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the library against its alternatives, on loopback."
    )
    made.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(cases.NAMES)}; all unless given"
    )
    made.add_argument("--quick", action="store_true", help="under a minute, for a first impression")
    made.add_argument("--smoke", action="store_true", help="seconds: shows that all runs, not how fast")
    made.add_argument("--rounds", type=int, metavar="N", help="how often each contender runs")
    made.add_argument(
        "--json", type=Path, metavar="FILE", help="write all rounds, medians and verdicts there"
    )
    made.add_argument("--picture", type=Path, metavar="FILE", help="draw the main results there, as SVG")
    made.add_argument(
        "--from", type=Path, metavar="FILE", dest="source", help="measure nothing: take them from that JSON"
    )
    return made


def say(what: str) -> None:
    """Tell what is being done, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def measured(names: list[str], scale: Scale, rounds: int | None) -> list[Result]:
    """Run benchmarks, and print the tables of each as soon as it is done."""
    results: list[Result] = []
    for name in names:
        found = turns.results_of(name, scale, say, rounds)
        say("")
        if found:
            show(name, found)
        results += found
    return results


def show(name: str, results: list[Result]) -> None:
    """Print the tables of one benchmark."""
    own = [result for result in results if result.benchmark == name]
    print("\n".join([*report.table_of(name, own), ""]), flush=True)


def mistake(given: argparse.Namespace) -> str | None:
    """Return what is wrong with the arguments: better said now than after an hour."""
    names = given.names or cases.NAMES
    for name in names:
        if name not in cases.NAMES:
            return f"unknown benchmark {name!r}: expected one of {', '.join(cases.NAMES)}"
    if given.rounds is not None and given.rounds < 1:
        return f"--rounds: expected at least 1, got {given.rounds}"
    for option, path in (("--json", given.json), ("--picture", given.picture)):
        if path is not None and not path.parent.is_dir():
            return f"{option}: {path.parent} is not a directory"
    if given.picture is not None and given.source is None and not set(names) & set(DRAWN):
        return f"--picture: it shows {', '.join(DRAWN)}, of which none is to run"
    return None


def main() -> int:
    """Run what the command line asks for; return the exit status: 0 unless the arguments are wrong."""
    command = parser()
    given = command.parse_args()
    if (wrong := mistake(given)) is not None:
        command.error(wrong)
    if given.source is not None:
        try:
            results, document = report.read(given.source)
        except OSError as error:
            command.error(f"--from: {given.source}: {error.strerror}")
        except (ValueError, LookupError, TypeError):
            command.error(f"--from: {given.source}: not what --json has written")
        for name in dict.fromkeys(result.benchmark for result in results):
            show(name, results)
    else:
        scale = SCALES["smoke" if given.smoke else "quick" if given.quick else "full"]
        began = time.monotonic()
        results = measured(given.names or list(cases.NAMES), scale, given.rounds)
        document = report.document_of(results, scale, time.monotonic() - began)
    print("\n".join(report.closing(document)))
    if given.json is not None:
        report.write(given.json, document)
    if given.picture is not None:
        given.picture.write_text(drawn(results, document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
