"""What a run has shown, as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import machine
from .bars import TOO_SMALL, Verdict, verdicts
from .cases import SMOKE, Column, Result, Scale, benchmark_of

Rows = list[list[str]]


def number(value: float, decimals: int) -> str:
    """Write a number with its thousands apart."""
    return f"{value:,.{decimals}f}"


def aligned(rows: Rows) -> list[str]:
    """Return rows as lines, the first column to the left, the others to the right; a short row runs on."""
    width = max(map(len, rows))
    whole = [row for row in rows if len(row) == width]
    widths = [
        max(len(row[0]) for row in rows),
        *(max(len(row[at]) for row in whole) for at in range(1, width)),
    ]
    lines: list[str] = []
    for row in rows:
        cells = row if len(row) < width else [cell.rjust(widths[at]) for at, cell in enumerate(row)]
        lines.append("  " + "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return lines


def speed(result: Result, first: Result, column: Column) -> float:
    """Return how many times as good as the first contender a result is."""
    ours, theirs = result.median(column.figure), first.median(column.figure)
    if column.less_is_better:
        ours, theirs = theirs, ours
    return ours / theirs if theirs else float("nan")


def row_of(result: Result, first: Result | None, columns: Sequence[Column]) -> list[str]:
    """Return a result as a row: medians, and of the main figure the spread and the ratio to the first's."""
    if not result.runs:
        return [result.contender, f"- {result.reason}"]
    main = columns[0]
    lowest, highest = result.spread(main.figure)
    return [
        result.contender,
        number(result.median(main.figure), main.decimals),
        f"({number(lowest, main.decimals)} to {number(highest, main.decimals)})",
        "" if first is None else f"{speed(result, first, main):.2f}",
        *(
            number(result.median(column.figure), column.decimals) if column.figure in result.runs[0] else ""
            for column in columns[1:]
        ),
    ]


def table_of(name: str, results: Sequence[Result]) -> list[str]:
    """Return the tables of one benchmark, one for each case."""
    benchmark = benchmark_of(name)
    columns = benchmark.COLUMNS
    lines = [benchmark.TITLE]
    for case in dict.fromkeys(result.case for result in results):
        shown = [result for result in results if result.case == case]
        first = next((result for result in shown if result.runs), None)
        rounds = max(len(result.runs) for result in shown)
        heading = [
            f"{case} ({rounds} rounds)" if rounds != 1 else f"{case} (1 round)",
            columns[0].heading,
            "spread",
            "ratio",
            *(column.heading for column in columns[1:]),
        ]
        lines += ["", *aligned([heading, *(row_of(result, first, columns) for result in shown)])]
        lines += [
            f"  {result.contender}: {result.reason}" for result in shown if result.runs and result.reason
        ]
    return lines


def bars_table(told: Sequence[Verdict]) -> list[str]:
    """Return the verdicts as a table."""
    rows: Rows = [["bars", "found", "by round", "bar", ""]]
    for verdict in told:
        if verdict.value is None:
            rows.append([verdict.text, f"- {verdict.said}"])
            continue
        spread = "" if verdict.lowest is None else f"{verdict.lowest:.2f} to {verdict.highest:.2f}"
        rows.append([verdict.text, f"{verdict.value:.3f}", spread, verdict.bound, verdict.said])
    return aligned(rows)


def closing(document: Mapping[str, Any]) -> list[str]:
    """Return what is printed after the tables: the bars, and what all was measured on."""
    told = [Verdict(**bar) for bar in document["bars"]]
    shown = [verdict for verdict in told if verdict.said != TOO_SMALL]
    lines = [*bars_table(shown), ""] if shown else []
    if left := len(told) - len(shown):
        lines += [f"  bars that need another scale: {left}", ""]
    scale = document["scale"]["name"]
    return [*lines, machine.line(document["machine"]), f"scale: {scale}, {document['seconds']:.0f} s in all"]


def document_of(results: Sequence[Result], scale: Scale, seconds: float) -> dict[str, Any]:
    """Return a run as JSON has it: each round of each contender, the medians, the bars and the machine."""
    return {
        "scale": scale._asdict(),
        "seconds": seconds,
        "machine": machine.description(),
        "results": [
            {
                **result._asdict(),
                "median": {figure: result.median(figure) for figure in result.runs[0]} if result.runs else {},
            }
            for result in results
        ],
        # A smoke run says nothing of speed.
        "bars": [verdict._asdict() for verdict in (verdicts(results) if scale.name != SMOKE.name else [])],
    }


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a run as JSON."""
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> tuple[list[Result], dict[str, Any]]:
    """Read a run that was written as JSON: its results, and the whole document."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    results = [Result(**{name: each[name] for name in Result._fields}) for each in document["results"]]
    return results, document
