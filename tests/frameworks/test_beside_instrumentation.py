"""OpenTelemetry's instrumentation of aiohttp beside the library's own spans: nothing is sent twice."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from plexypay_async import AsyncPlexyPay
from plexypay_async.telemetry import OpenTelemetryObserver
from tests.faults.scripted import BY_REFERENCE, CODE_1, FOUND, KEY, LINKS, RESET, SHORT, serving


@pytest.mark.asyncio
@pytest.mark.needs("opentelemetry.instrumentation.aiohttp_client")
async def test_beside_the_instrumentation_of_aiohttp() -> None:
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observers = [OpenTelemetryObserver(tracer_provider=tracers)]
    routes = {f"POST {LINKS}": [CODE_1, RESET], f"GET {BY_REFERENCE}/*": FOUND}
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=tracers)
    try:
        async with serving(routes) as server:
            async with AsyncPlexyPay(KEY, base_url=server.url, retry=SHORT, observers=observers) as plexy:
                await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
            counts = server.script.counts
    finally:
        instrumentor.uninstrument()
    # Nothing is sent twice.
    assert counts == {f"POST {LINKS}": 2, f"GET {BY_REFERENCE}/ORD-1": 1}
    # Of each request, the instrumentation's span hangs below that of the attempt.
    spans = exporter.get_finished_spans()
    requests = [span for span in spans if span.kind is SpanKind.CLIENT]
    attempts = {span.context.span_id for span in requests if "url.template" in (span.attributes or {})}
    others = [span for span in requests if span.context.span_id not in attempts]
    assert len(others) == len(attempts) == sum(counts.values())
    assert {span.parent and span.parent.span_id for span in others} == attempts
    assert len([span for span in spans if span.name == "payment_links.create"]) == 1
