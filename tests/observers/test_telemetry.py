"""OpenTelemetry: spans, what they hang below, metrics, and what is beside the library."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any, cast

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind, StatusCode

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    CreatePaymentLink,
    PlexyPayError,
    WebhookAuthenticationError,
    WebhookReceiver,
)
from plexypay_async.telemetry import MOST_EVENTS, OpenTelemetryObserver
from plexypay_sync import PlexyPay
from tests.exposure.provocations import API_KEY, NUMBER
from tests.faults.scripted import (
    BY_REFERENCE,
    CODE_1,
    CREATED,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    Answer,
    Script,
    link,
    scripted,
    serving,
)

from .recording import Broken, Recording

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
CHARGED = {
    "name": "transaction.charged",
    "data": {"id": "txn_1", "amount": 100, "currency": "KZT", "status": "charged", "orderReference": "ORD-1"},
}


class Exported:
    """Providers of an application's, what they export, and an observer on them."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(**options)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        meters = MeterProvider([self._reader])
        self.observer = OpenTelemetryObserver(tracer_provider=self.tracers, meter_provider=meters)
        self.tracer = self.tracers.get_tracer("an application's")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def exported() -> Exported:
    return Exported()


async def _create(plexy: AsyncPlexyPay) -> Any:
    return await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


def _parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def _attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


async def test_a_call_is_a_span_with_one_for_each_attempt(exported: Exported) -> None:
    answer = Answer(201, link(), {"X-Request-Id": "req-1"})
    async with scripted({CREATE: [CODE_1, answer]}, observers=[exported.observer]) as (plexy, script):
        with exported.tracer.start_as_current_span("a view"):
            await _create(plexy)

    first, second, call, view = exported.spans
    assert (view.name, call.name) == ("a view", "payment_links.create")
    assert first.name == second.name == "POST /v1/payment-links"
    assert _parent(call) == _id(view)
    assert _parent(first) == _parent(second) == _id(call)
    assert (call.kind, first.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    attributes = _attributes(second)
    port = attributes.pop("server.port")
    assert isinstance(port, int)
    assert attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "url.scheme": "http",
        "url.template": "/v1/payment-links",
        "http.response.status_code": 201,
        "http.request.resend_count": 1,
        "plexypay.purpose": "operation",
        "plexypay.request_id": "req-1",
    }
    assert _attributes(first)["error.type"] == "503"
    assert _attributes(first)["plexypay.error_code"] == "1"
    assert "http.request.resend_count" not in _attributes(first)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert _attributes(call) == {
        "plexypay.operation": "payment_links.create",
        "plexypay.order_reference": "ORD-1",
        "plexypay.outcome": "done",
        "plexypay.attempts": 2,
        "plexypay.recovered": False,
        "plexypay.request_id": "req-1",
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.scheme": "http",
    }
    assert [event.name for event in call.events] == ["pause"]
    # What is sent along is the attempt, so that the server's spans hang below it.
    sent = [seen.headers["traceparent"].split("-")[1:3] for seen in script.seen]
    assert view.context is not None
    assert sent == [[f"{view.context.trace_id:032x}", f"{_id(each):016x}"] for each in (first, second)]


async def test_no_span_has_an_address_with_an_order_reference(exported: Exported) -> None:
    routes = {CREATE: RESET, f"GET {BY_REFERENCE}/*": FOUND}
    observer = OpenTelemetryObserver(tracer_provider=exported.tracers, order_references=False)
    async with scripted(routes, observers=[observer]) as (plexy, _):
        await _create(plexy)
    assert [span.name for span in exported.spans] == [
        "POST /v1/payment-links",
        "GET /v1/payment-links/by-order-reference/{order_reference}",
        "payment_links.create",
    ]
    assert "ORD-1" not in "".join(span.to_json() for span in exported.spans)
    assert _attributes(exported.spans[1])["plexypay.purpose"] == "look-up"


async def test_a_failure_is_one_in_its_span(exported: Exported) -> None:
    async with scripted({f"GET {LINKS}/pl_1": NOT_FOUND}, observers=[exported.observer]) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await plexy.payment_links.retrieve("pl_1")
    call = exported.span("payment_links.retrieve")
    assert call.status.status_code is StatusCode.ERROR
    assert (_attributes(call)["error.type"], _attributes(call)["plexypay.outcome"]) == (
        "NotFoundError",
        "failed",
    )


async def test_a_cancelled_call_ends_its_spans(exported: Exported) -> None:
    script = Script({"*": SILENCE})
    async with scripted(script, observers=[exported.observer]) as (plexy, _):
        task = asyncio.create_task(_create(plexy))
        while not script.seen:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [_attributes(span)["error.type"] for span in exported.spans] == ["cancelled"] * 2
    assert _attributes(exported.spans[1])["plexypay.outcome"] == "unknown"


async def test_a_raw_request_does_not_show_its_path(exported: Exported) -> None:
    async with scripted({"*": Answer(200, {})}, observers=[exported.observer]) as (plexy, _):
        await plexy.request("GET", "/v1/anything/ORD-1")
    assert [span.name for span in exported.spans] == ["GET", "request"]
    assert "ORD-1" not in "".join(span.to_json() for span in exported.spans)


async def test_what_runs_beside_a_call_does_not_hang_below_it(exported: Exported) -> None:
    async with scripted({CREATE: CREATED}, observers=[exported.observer]) as (plexy, _):
        with exported.tracer.start_as_current_span("a view") as view:
            await _create(plexy)
            assert trace.get_current_span() is view


async def test_two_observers_leave_the_callers_span_as_it_was(exported: Exported) -> None:
    other = Exported()
    observers = [exported.observer, other.observer, exported.observer]
    async with scripted({CREATE: [CODE_1, CREATED]}, observers=observers) as (plexy, _):
        with exported.tracer.start_as_current_span("a view") as view:
            await _create(plexy)
            assert trace.get_current_span() is view
    assert len(exported.spans) == 4
    assert len(other.spans) == 3


async def test_an_observer_that_is_cancelled_leaves_no_span_open(exported: Exported) -> None:
    observers = [exported.observer, Broken(asyncio.CancelledError())]
    async with scripted({CREATE: CREATED}, observers=observers) as (plexy, _):
        await _create(plexy)
    assert len(exported.spans) == 2
    assert not trace.get_current_span().is_recording()


async def test_baggage_stays_at_home(exported: Exported) -> None:
    token = context.attach(baggage.set_baggage("user.email", "jane@example.com"))
    try:
        async with scripted({CREATE: CREATED}, observers=[exported.observer]) as (plexy, script):
            await _create(plexy)
    finally:
        context.detach(token)
    assert "baggage" not in script.seen[0].headers
    assert "traceparent" in script.seen[0].headers


async def test_time_outs_are_told_as_such(exported: Exported) -> None:
    async with scripted({"*": SILENCE}, observers=[exported.observer], timeout=0.2) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await _create(plexy)
    attempt, call = exported.spans
    assert _attributes(attempt)["error.type"] == "timeout"
    assert _attributes(call)["error.type"] == "DeadlineExceededError"
    assert _attributes(call)["plexypay.attempts"] == 1


async def test_what_is_not_there_yet_is_no_failure(exported: Exported) -> None:
    async with scripted({"*": NOT_FOUND}, observers=[exported.observer]) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await plexy.transactions.wait(order_reference="ORD-1", timeout=0.2, interval=0.01)
    calls = [span for span in exported.spans if span.kind is SpanKind.INTERNAL]
    # The last one is cut at the end of the wait.
    assert {span.status.status_code for span in calls[:-1]} == {StatusCode.UNSET}
    assert {_attributes(span)["plexypay.outcome"] for span in calls[:-1]} == {"done"}


# ------------------------------------------------------------------------------------------------- jobs


async def test_a_job_is_one_span_with_events(exported: Exported) -> None:
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(200)]
    refused = Answer(400, {"code": 3, "message": "no", "type": "apiError"})
    async with scripted({CREATE: [CREATED, refused]}, observers=[exported.observer]) as (plexy, script):
        with exported.tracer.start_as_current_span("a task"):
            async for _ in plexy.payment_links.create_many(rows):
                pass

    assert [span.name for span in exported.spans] == ["payment_links.create_many", "a task"]
    job, task = exported.spans
    assert _parent(job) == _id(task)
    attributes = _attributes(job)
    assert (attributes["plexypay.job.created"], attributes["plexypay.job.failed"]) == (1, 199)
    failed = [event for event in job.events if event.name == "row failed"]
    assert len(failed) == MOST_EVENTS
    assert dict(failed[0].attributes or {})["error.type"] == "InvalidRequestError"
    assert {seen.headers["traceparent"].split("-")[2] for seen in script.seen} == {f"{_id(job):016x}"}
    assert sum(point.value for point in exported.points("plexypay.call.outcomes")) == 200


# ---------------------------------------------------------------------------------------------- metrics


async def test_metrics(exported: Exported) -> None:
    routes = {CREATE: [CODE_1, CREATED], f"GET {LINKS}/pl_1": NOT_FOUND}
    async with scripted(routes, observers=[exported.observer]) as (plexy, _):
        await _create(plexy)
        with pytest.raises(PlexyPayError):
            await plexy.payment_links.retrieve("pl_1")

    outcomes = {
        (point.attributes["plexypay.operation"], point.attributes["plexypay.outcome"]): point.value
        for point in exported.points("plexypay.call.outcomes")
    }
    # Those that are 0 are there, so that the first of them is an increase.
    assert outcomes == {
        ("payment_links.create", "done"): 1,
        ("payment_links.create", "not_sent"): 0,
        ("payment_links.create", "rejected"): 0,
        ("payment_links.create", "unknown"): 0,
        ("payment_links.retrieve", "done"): 0,
        ("payment_links.retrieve", "failed"): 1,
    }
    requests = Counter[tuple[str, int]]()
    for point in exported.points("http.client.request.duration"):
        key = point.attributes["url.template"], point.attributes["http.response.status_code"]
        requests[key] += point.count
        assert "plexypay.order_reference" not in point.attributes
    assert requests == {
        ("/v1/payment-links", 503): 1,
        ("/v1/payment-links", 201): 1,
        ("/v1/payment-links/{external_id}", 404): 1,
    }
    attempts = {
        point.attributes["plexypay.operation"]: point.sum
        for point in exported.points("plexypay.call.attempts")
    }
    assert attempts == {"payment_links.create": 2, "payment_links.retrieve": 1}
    (duration,) = [
        point
        for point in exported.points("plexypay.call.duration")
        if point.attributes["plexypay.operation"] == "payment_links.create"
    ]
    assert (duration.count, duration.sum > 0) == (1, True)
    assert 60 in duration.explicit_bounds
    assert sum(point.count for point in exported.points("plexypay.call.waiting.duration")) == 2


async def test_nothing_sampled_is_counted_even_so() -> None:
    quiet = Exported(sampler=ALWAYS_OFF)
    async with scripted({CREATE: CREATED}, observers=[quiet.observer]) as (plexy, script):
        await _create(plexy)
    assert quiet.spans == []
    # A decision against sampling is sent along, so that the server does not sample either.
    assert int(script.seen[0].headers["traceparent"][-2:], 16) & 1 == 0
    assert sum(point.value for point in quiet.points("plexypay.call.outcomes")) == 1


@pytest.mark.parametrize(
    ("sampler", "parent", "is_idle"),
    [
        (ALWAYS_OFF, None, True),
        (ALWAYS_ON, None, False),
        (TraceIdRatioBased(0.5), None, False),
        (ParentBased(ALWAYS_OFF), None, True),
        (DEFAULT_ON, None, False),
        (DEFAULT_ON, ALWAYS_OFF, True),
        (DEFAULT_ON, ALWAYS_ON, False),
        (ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON), ALWAYS_OFF, False),
    ],
)
async def test_it_is_idle_where_there_is_nothing_to_write(
    sampler: Sampler, parent: Sampler | None, is_idle: bool
) -> None:
    observer = OpenTelemetryObserver(tracer_provider=TracerProvider(sampler=sampler))
    view = TracerProvider(sampler=parent or ALWAYS_ON).get_tracer("an application's")
    with contextlib.nullcontext() if parent is None else view.start_as_current_span("a view"):
        assert observer.is_idle() is is_idle
        # Whoever measures is never idle.
        assert not OpenTelemetryObserver(meter_provider=MeterProvider()).is_idle()
        told = Recording()
        async with scripted({CREATE: CREATED}, observers=[observer]) as (plexy, script):
            await _create(plexy)
        assert ("traceparent" in script.seen[0].headers) is not is_idle
        async with scripted({CREATE: CREATED}, observers=[observer, told]) as (plexy, _):
            await _create(plexy)
        assert told.counts["call_ended"] == 1


# ------------------------------------------------------------------------------------------ both facades


async def test_a_parent_passes_through_the_sync_clients_thread(exported: Exported) -> None:
    async with serving({CREATE: [CODE_1, CREATED]}) as server:

        def call() -> None:
            with PlexyPay(KEY, base_url=server.url, retry=SHORT, observers=[exported.observer]) as plexy:
                with exported.tracer.start_as_current_span("a view"):
                    plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
                rows = [CreatePaymentLink(amount=1, currency="KZT", order_reference=f"R-{n}") for n in "ab"]
                with exported.tracer.start_as_current_span("a task"):
                    assert len(list(plexy.payment_links.create_many(rows))) == 2

        await asyncio.to_thread(call)
    assert Counter(span.name for span in exported.spans) == {
        "POST /v1/payment-links": 2,
        "payment_links.create": 1,
        "a view": 1,
        "payment_links.create_many": 1,
        "a task": 1,
    }
    assert _parent(exported.span("payment_links.create")) == _id(exported.span("a view"))
    assert _parent(exported.span("payment_links.create_many")) == _id(exported.span("a task"))


# --------------------------------------------------------------------------------------------- webhooks


async def test_a_webhook_is_a_span(exported: Exported) -> None:
    receiver = WebhookReceiver("token-of-mine", observers=[exported.observer])
    with exported.tracer.start_as_current_span("POST /webhooks"):
        receiver.receive({"Authorization": "token-of-mine"}, json.dumps(CHARGED).encode())
    with pytest.raises(WebhookAuthenticationError):
        receiver.receive({}, b"{}")
    made, request, refused = exported.spans
    assert made.name == refused.name == "webhook received"
    assert _parent(made) == _id(request)
    assert _attributes(made) == {
        "plexypay.webhook.event": "transaction.charged",
        "plexypay.webhook.repeated": False,
        "plexypay.order_reference": "ORD-1",
        "plexypay.transaction_id": "txn_1",
    }
    assert refused.status.status_code is StatusCode.ERROR
    counts = {
        point.attributes["plexypay.webhook.event"]: point.value
        for point in exported.points("plexypay.webhook.deliveries")
    }
    assert counts == {"transaction.charged": 1, "refused": 1}


async def test_events_that_nobody_knows_are_one_series(exported: Exported) -> None:
    receiver = WebhookReceiver("token-of-mine", observers=[exported.observer])
    for number in range(5):
        receiver.receive({"Authorization": "token-of-mine"}, json.dumps({"name": f"odd.{number}"}).encode())
    (point,) = exported.points("plexypay.webhook.deliveries")
    assert (point.attributes["plexypay.webhook.event"], point.value) == ("unknown", 5)


# ---------------------------------------------------------------------------------------------- secrets


async def test_no_span_and_no_metric_has_a_secret(exported: Exported) -> None:
    echo = {"code": 3, "message": f"you sent {API_KEY} and {NUMBER}", "type": "apiError"}
    answer = Answer(400, echo, {"X-Request-Id": API_KEY})
    async with serving({"*": answer}) as server:
        options: dict[str, Any] = {"base_url": server.url, "retry": ONCE, "observers": [exported.observer]}
        async with AsyncPlexyPay(API_KEY, **options) as plexy:
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.create(amount=1, currency="KZT", order_reference=NUMBER)
    told = "".join(span.to_json() for span in exported.spans)
    assert "payment_links.create" in told
    assert API_KEY not in told
    assert NUMBER not in told


@pytest.mark.parametrize("name", ["tracer_provider", "meter_provider"])
async def test_what_is_no_provider_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        OpenTelemetryObserver(**{name: cast("Any", object())})
