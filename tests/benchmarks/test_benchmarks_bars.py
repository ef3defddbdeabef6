"""What a run is found to show: ratios of medians, verdicts on the bars, tables, JSON and the picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import picture, report
from benchmarks.bars import TOO_SMALL, Bar, Found, Ref, Verdict, held_at_500, verdicts
from benchmarks.cases import QUICK, SMOKE, Result
from benchmarks.suite import faults, tls

SVG = "{http://www.w3.org/2000/svg}"


def result(contender: str, *rates: float, case: str = "100 at once", benchmark: str = "create") -> Result:
    runs = [{"rate": rate, "cpu": 1e6 / rate, "p50": 1.0, "p99": 2.0} for rate in rates]
    return Result(benchmark, case, contender, runs)


OURS, BY_HAND = result("plexypay, uvloop", 90, 110, 400), result("aiohttp by hand, uvloop", 100, 100, 100)


def verdict(text: str, results: list[Result]) -> Verdict:
    (found,) = [each for each in verdicts(results) if each.text == text]
    return found


def test_a_ratio_is_that_of_the_medians_with_the_spread_of_the_rounds() -> None:
    found = verdict("create, 100 at once, uvloop: rate / aiohttp by hand", [OURS, BY_HAND])

    assert (found.value, found.lowest, found.highest) == (1.1, 0.9, 4.0)
    assert (found.bound, found.said) == ("at least 1", "met")


def test_a_bar_that_is_not_reached_is_missed() -> None:
    slower = result("plexypay, uvloop", 99)

    assert verdict("create, 100 at once, uvloop: rate / aiohttp by hand", [slower, BY_HAND]).said == "missed"
    assert verdict("create, 100 at once, uvloop: CPU / aiohttp by hand", [slower, BY_HAND]).said == "missed"
    assert verdict("create, 100 at once, uvloop: CPU / aiohttp by hand", [OURS, BY_HAND]).said == "met"


def test_the_best_of_several_rivals_is_what_counts() -> None:
    rivals = [
        result(name, rate, case="50 threads", benchmark="sync")
        for name, rate in (("plexypay, uvloop", 400), ("requests", 90), ("requests, one session", 110))
    ]
    found = verdict("sync create, 50 threads, uvloop: rate / requests", rivals)

    assert found.value == pytest.approx(400 / 110)
    assert found.said == "missed"


def test_what_was_not_measured_has_no_verdict() -> None:
    lacking = result("square, uvloop")._replace(reason="not installed: square")
    told = verdicts([OURS, BY_HAND, lacking])

    assert {each.said for each in told if each.value is None} == {
        TOO_SMALL,
        "square, uvloop: not installed: square",
    }
    assert {each.text.partition(":")[0].partition(",")[0] for each in told} == {"create"}


def test_over_tls_the_bars_are_its_own() -> None:
    job = tls.job_name(tls.LINKS)
    results = [
        *(
            result(name, rate, benchmark="tls")
            for name, rate in (("plexypay, uvloop", 109), (BY_HAND[2], 100))
        ),
        *(
            result(name, rate, case=job, benchmark="tls")
            for name, rate in (("async, uvloop", 120), (f"{tls.ON_MORE}, uvloop", 150), (BY_HAND[2], 100))
        ),
    ]
    told = {each.text: each for each in verdicts(results) if each.value is not None}

    create, whole, wide = (
        told["TLS, create, 100 at once, uvloop: rate / aiohttp by hand"],
        told[f"TLS, {job}: create_many / aiohttp by hand"],
        told[f"TLS, {job}: create_many on 200 connections / aiohttp by hand on 100"],
    )
    assert (create.value, create.bound, create.said) == (1.09, "at least 1.1", "missed")
    assert (whole.value, whole.bound, whole.said) == (1.2, "at least 1.2", "met")
    assert (wide.value, wide.bound, wide.said) == (1.5, "at least 1.2", "met")
    assert len(told) == 3


def test_a_figure_that_a_case_does_not_have_is_left_blank() -> None:
    job = Result("tls", tls.job_name(50), "async, uvloop", [{"rate": 70.0, "cpu": 8.0}])

    assert report.table_of("tls", [job])[-1].split() == [
        "async,",
        "uvloop",
        "70",
        "(70",
        "to",
        "70)",
        "1.00",
        "8.0",
    ]


def test_the_picture_shows_what_faults_cost() -> None:
    case, of_places = faults.case_name(0.05), faults.case_name(0.2, faults.PLACES)
    results = [
        Result("faults", case, "fixed 100", [{"rate": 1000.0}]),
        Result("faults", case, "adaptive", [{"rate": 1500.0}]),
        Result("faults", of_places, "fixed 50", [{"rate": 100.0}]),
        Result("faults", of_places, "fixed 100", [{"rate": 200.0}]),
        Result("faults", of_places, "adaptive", [{"rate": 180.0}]),
    ]
    drawn = picture.drawn(results, report.document_of(results, QUICK, 1.0))
    assert "5% of requests fail: 1.50 × best fixed" in drawn
    assert "20% of requests fail: 0.90 × best fixed" in drawn


def test_the_picture_shows_a_job_over_tls_cold_and_warm() -> None:
    results = [
        result(name, rate, case=tls.job_name(tls.LINKS, warm=warm), benchmark="tls")
        for warm, rate in ((False, 5), (True, 7))
        for name in ("async, uvloop", BY_HAND[2])
    ]
    results += [
        result(f"{name}, uvloop", rate, case=tls.job_name(tls.LINKS, warm=False), benchmark="tls")
        for name, rate in ((tls.ON_MORE, 9), (tls.BY_HAND_ON_MORE, 8))
    ]
    root = ElementTree.fromstring(picture.drawn(results, report.document_of(results, QUICK, 1.0)))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    bars = [each.get("class") for each in root.iter(f"{SVG}rect") if each.get("class") in ("ours", "bar")]

    assert {"plexypay", "plexypay, warm", "aiohttp by hand", "aiohttp, warm"} <= set(texts)
    assert {"plexypay, 200", "aiohttp, 200"} <= set(texts)
    assert bars == ["ours", "bar", "ours", "bar", "ours", "bar"]


@pytest.mark.parametrize(
    ("ours", "theirs", "value", "said"),
    [
        ((100, 95), (100, 100), 0.95, "met"),
        ((100, 80), (100, 85), 80 / 85, "met"),
        ((100, 80), (100, 95), 80 / 95, "missed"),
    ],
)
def test_the_rate_at_500_is_held_by_itself_or_as_aiohttps_is(
    ours: tuple[float, float], theirs: tuple[float, float], value: float, said: str
) -> None:
    found = held_at_500(
        Found(
            [
                result(f"{who}, uvloop", rate, case=f"{concurrency} at once")
                for who, rates in (("plexypay", ours), ("aiohttp by hand", theirs))
                for concurrency, rate in zip((100, 500), rates, strict=True)
            ]
        )
    )

    assert found.value == pytest.approx(value)
    assert found.said == said


def test_a_figure_without_a_rival_is_bounded_by_itself() -> None:
    bar = Bar("p99", Ref("create", "plexypay, uvloop", "p99"), at_most=1.9)

    assert Found([OURS]).verdict(bar)[2:] == (2.0, 2.0, 2.0, "missed")


def test_a_table_has_medians_spread_and_ratio_and_says_why_one_did_not_run() -> None:
    lacking = result("square, uvloop")._replace(reason="not installed: square")
    broken = result("httpx, uvloop", 10)._replace(reason="failed: PoolTimeout")
    lines = report.table_of("create", [OURS, BY_HAND, lacking, broken])
    rows = {line.strip().partition("  ")[0]: line.split("  ") for line in lines}

    assert [cell.strip() for cell in rows["aiohttp by hand, uvloop"] if cell.strip()][1:4] == [
        "100",
        "(100 to 100)",
        "0.91",
    ]
    assert rows["square, uvloop"][-1].strip() == "- not installed: square"
    assert "  httpx, uvloop: failed: PoolTimeout" in lines


def test_a_run_survives_json_and_a_smoke_run_has_no_verdicts(tmp_path: Path) -> None:
    document = report.document_of([OURS, BY_HAND], QUICK, 1.0)
    report.write(tmp_path / "found.json", document)
    results, again = report.read(tmp_path / "found.json")

    assert results == [OURS, BY_HAND]
    assert report.closing(again) == report.closing(document)
    assert json.loads((tmp_path / "found.json").read_text())["results"][0]["median"]["rate"] == 110
    assert document["bars"]
    assert report.document_of([OURS, BY_HAND], SMOKE, 1.0)["bars"] == []


def test_the_picture_shows_what_was_measured_and_on_what() -> None:
    results = [
        OURS,
        BY_HAND,
        result("1 & <b>", 5, benchmark="codec"),
        result("async", 7, case="a & b", benchmark="bulk"),
    ]
    document = report.document_of(results, QUICK, 1.0)
    drawn = picture.drawn(results, document)
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter(f"{SVG}text")]

    assert {"Async create, 100 at once", "plexypay", "aiohttp by hand", "110", "1.10"} <= set(texts)
    assert "Bulk, 100 at once, a & b" in texts
    assert document["machine"]["processor"] in " ".join(text or "" for text in texts)
    assert len([bar for bar in root.iter(f"{SVG}rect") if bar.get("class") in ("ours", "bar")]) == 4
    assert all(
        float(bar.get("x", "0")) + float(bar.get("width", "0")) < picture.WIDTH
        for bar in root.iter(f"{SVG}rect")
    )
    assert "prefers-color-scheme: dark" in drawn
    assert drawn.count("http") == drawn.count('xmlns="http') + drawn.count("aiohttp") + drawn.count("httpx")


def test_the_picture_keeps_its_line_off_the_values() -> None:
    results = [result("plexypay, uvloop", 96), result("aiohttp by hand, uvloop", 100)]
    root = ElementTree.fromstring(picture.drawn(results, report.document_of(results, QUICK, 1.0)))

    (mark,) = (float(line.get("x1", "0")) for line in root.iter(f"{SVG}line"))
    (value,) = (float(each.get("x", "0")) for each in root.iter(f"{SVG}text") if each.text == "0.96")
    assert value > mark


def test_a_run_without_anything_to_draw_is_refused() -> None:
    only = [result("plexypay", 1, benchmark="codec")]

    with pytest.raises(ValueError, match="nothing to draw"):
        picture.drawn(only, report.document_of(only, QUICK, 1.0))
