"""The guide on logs, traces and metrics: its programs run, and its queries name what is exported."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import run_by

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
PROMETHEUS, QUERIES = run_by(__file__, "docs/observability.md")
(SHOWN_LOG,) = run_by(__file__, "docs/logging.md")
METRIC = re.compile(r"\b(?:plexypay|http_client)_[a-z_]+(?=[\[{])")
LABELS = re.compile(r"(?:by \(|\{)([^)}]*)[)}]")

SCRAPED = """
import asyncio, json
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY, generate_latest
metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
from plexypay_async import AsyncPlexyPay, PlexyPayError, WebhookReceiver
from plexypay_async.sandbox import Sandbox
from plexypay_async.telemetry import OpenTelemetryObserver
observer = OpenTelemetryObserver()

async def main():
    async with Sandbox() as sandbox:
        options = {"base_url": sandbox.base_url, "observers": [observer]}
        async with AsyncPlexyPay(sandbox.api_key, **options) as plexy:
            await plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
            try:
                await plexy.payment_links.retrieve("pl_none")
            except PlexyPayError:
                pass
    try:
        WebhookReceiver("token-of-mine", observers=[observer]).receive({}, b"{}")
    except PlexyPayError:
        pass

asyncio.run(main())
print(generate_latest(REGISTRY).decode())
"""


def ran(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def _queries() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, QUERIES]


@pytest.mark.needs("opentelemetry.exporter.prometheus")
def test_every_query_names_what_is_exported() -> None:
    exported = ran(SCRAPED).stdout
    names = set(re.findall(r"^(\w+)(?:\{| )", exported, re.MULTILINE))
    labels = set(re.findall(r"(\w+)=\"", exported))
    wanted = {name for query in _queries() for name in METRIC.findall(query)}
    assert len(wanted) >= 7
    assert wanted <= names
    used = {
        label
        for query in _queries()
        for inner in LABELS.findall(query)
        for label in re.findall(r"(\w+)(?=\s*(?:[=!]|,|$))", re.sub(r'"[^"]*"', "", inner))
    }
    assert "plexypay_outcome" in used
    assert used <= labels


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.needs("opentelemetry.exporter.prometheus")
def test_it_serves_prometheus() -> None:
    assert PROMETHEUS.count("9464") == 2
    # Another port than one that may be in use.
    assert ran(PROMETHEUS.replace("9464", "0")).stderr == ""


def test_the_log_is_as_it_is_shown() -> None:
    program = """
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay
with Sandbox() as sandbox, PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
    sandbox.faults.add("code=1,times=1")
    plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
"""
    said = asyncio.run(asyncio.to_thread(ran, program, PLEXYPAY_LOG="debug")).stderr

    def shape(text: str) -> list[str]:
        lines = [re.sub(r"^[\d-]+ [\d:,]+ ", "", line) for line in text.splitlines()]
        lines = [re.sub(r"req_[0-9a-f]+", "ID", line) for line in lines]
        return [re.sub(r"\d+\.\d+", "T", line) for line in lines]

    assert shape(SHOWN_LOG) == [line for line in shape(said) if ": done after" not in line]
