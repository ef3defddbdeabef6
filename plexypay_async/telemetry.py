"""OpenTelemetry: a span for each call with one for each attempt, and metrics. Needs ``plexypay[otel]``.

``AsyncPlexyPay(observers=[OpenTelemetryObserver()])``, and the same on `PlexyPay` and `WebhookReceiver`.

Evidence: the semantic conventions for HTTP clients, version 1.27 and later. In place of ``url.full``, in
which order references stand, spans have ``url.template``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._version import __version__
from .errors import ConfigurationError, NotFoundError, Outcome
from .observer import (
    ObservedAttempt,
    ObservedCall,
    ObservedJob,
    ObservedPause,
    ObservedRow,
    ObservedWebhook,
    Observer,
)

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise ImportError(
        "plexypay_async.telemetry needs OpenTelemetry's API: pip install 'plexypay[otel]'"
    ) from error

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryObserver"]

NAME = "plexypay"
MOST_EVENTS = 100
"""Events of one kind that a job's span gets at the most: an SDK keeps 128 of all, the latest."""
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
"""Bounds of the histograms of times, in seconds: those of the conventions, and the usual time-outs."""
ATTEMPTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_OUTCOMES_OF_A_READ = ("done", "failed")
_RAW = "request"
"""The operation of a raw request in metrics and in the names of spans: its path may hold ids."""

Attributes = dict[str, str | int | float | bool]


class OpenTelemetryObserver(Observer):
    """Writes spans and metrics for what a client does, by the application's own providers.

    Spans: one for each call, below the span that is current where the call is made (on the sync client too),
    with one for each request below it, which is current while the request is under way, and ``traceparent``
    sent. A bulk job is one span with events for its failed rows and for changes of its limit, a hundred of
    each at the most; its rows have none of their own. A webhook is one, below the request that brought it.

    Metrics: ``plexypay.call.duration``, ``plexypay.call.attempts``, ``plexypay.call.waiting.duration`` and
    ``http.client.request.duration`` are histograms (seconds, and a number of attempts);
    ``plexypay.call.outcomes`` and ``plexypay.webhook.deliveries`` are counters. Rows of jobs count as calls.

    Args:
        tracer_provider: Where spans go; the global one unless given.
        meter_provider: Where metrics go; the global one unless given.
        propagator: What sends a span along; ``traceparent`` and ``tracestate`` unless given. The global one
            would send the application's baggage to the vendor, too.
        order_references: Whether spans have the order reference, as ``plexypay.order_reference``.

    Raises:
        ConfigurationError: A provider is none.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        propagator: TextMapPropagator | None = None,
        order_references: bool = True,
    ) -> None:
        if tracer_provider is not None and not hasattr(tracer_provider, "get_tracer"):
            raise ConfigurationError(f"tracer_provider: got {type(tracer_provider).__name__}")
        if meter_provider is not None and not hasattr(meter_provider, "get_meter"):
            raise ConfigurationError(f"meter_provider: got {type(meter_provider).__name__}")
        self._tracer = trace.get_tracer(NAME, __version__, tracer_provider)
        meter = metrics.get_meter(NAME, __version__, meter_provider)
        self._propagator: Any = TraceContextTextMapPropagator() if propagator is None else propagator
        self._order_references = order_references
        self._counted: set[str] = set()
        self._sampler: Any = self
        self._waits_for_provider = hasattr(self._tracer, "_tracer")
        self._drops: bool | None = False
        """Whether the sampler drops all; None where it does what the span above says."""
        self._calls: dict[ObservedCall, Span] = {}
        self._attempts: dict[ObservedAttempt, tuple[Span, Token[Context]]] = {}
        self._jobs: dict[ObservedJob, _JobSpan] = {}
        self._addresses: dict[str, Attributes] = {}
        self._call_duration = meter.create_histogram(
            "plexypay.call.duration",
            "s",
            "Duration of calls, with all attempts and pauses",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._call_attempts = meter.create_histogram(
            "plexypay.call.attempts",
            "{attempt}",
            "Requests by which a call's operation was sent",
            explicit_bucket_boundaries_advisory=ATTEMPTS,
        )
        self._call_waiting = meter.create_histogram(
            "plexypay.call.waiting.duration",
            "s",
            "Time that a call's requests have waited for a connection's place, or for their turn in a job",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._request_duration = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._outcomes = meter.create_counter("plexypay.call.outcomes", "{call}", "Calls by their outcome")
        self._deliveries = meter.create_counter(
            "plexypay.webhook.deliveries", "{delivery}", "Webhooks received, by event"
        )

    def is_idle(self) -> bool:
        """Tell that there is nothing to write: no call is sampled, and no metrics are exported."""
        # An instrument of the API's that waits for a provider.
        if getattr(self._call_duration, "_real_instrument", self) is not None:
            return False
        # Behind the API's own tracer, which waits for a provider too.
        tracer: Any = self._tracer
        sampler: Any = getattr(tracer._tracer if self._waits_for_provider else tracer, "sampler", None)
        if sampler is not self._sampler:
            self._sampler, self._drops = sampler, _what_drops(sampler)
        if (drops_all := self._drops) is not None:
            return drops_all
        parent = trace.get_current_span().get_span_context()
        return (
            not parent.trace_flags.sampled
            if parent.is_valid
            else "{root:AlwaysOffSampler" in sampler.get_description()
        )

    # ------------------------------------------------------------------------------------------- calls

    def call_began(self, call: ObservedCall) -> None:
        """Begin the span of a call; a job's rows have none."""
        if call.job is not None:
            return
        attributes: Attributes = {"plexypay.operation": _operation(call), **self._address(call.base_url)}
        self._add_reference(attributes, call.order_reference)
        self._calls[call] = self._tracer.start_span(
            _operation(call), kind=SpanKind.INTERNAL, attributes=attributes
        )

    def call_paused(self, pause: ObservedPause) -> None:
        """Note a pause as an event of the call's span."""
        span = self._calls.get(pause.call)
        if span is None:
            return
        attributes: Attributes = {"plexypay.pause.reason": pause.reason}
        if pause.seconds is not None:
            attributes["plexypay.pause.seconds"] = pause.seconds
        if pause.error is not None:
            attributes["error.type"] = type(pause.error).__name__
        span.add_event("pause", attributes)

    def call_ended(self, call: ObservedCall) -> None:
        """End the span of a call, and count it."""
        span = self._calls.pop(call, None)
        outcome = _outcome(call)
        if span is not None:
            attributes: Attributes = {
                "plexypay.outcome": outcome,
                "plexypay.attempts": call.attempts,
                "plexypay.recovered": call.recovered,
            }
            if call.request_id is not None:
                attributes["plexypay.request_id"] = call.request_id
            span.set_attributes(attributes)
            _note_failure(span, call)
            span.end()
        operation = _operation(call)
        labels: Attributes = {"plexypay.operation": operation, "plexypay.outcome": outcome}
        if operation not in self._counted:
            # A counter that begins with 1 has not increased.
            self._counted.add(operation)
            for each in _OUTCOMES_OF_A_READ if call.method == "GET" else _OUTCOMES:
                self._outcomes.add(0, {"plexypay.operation": operation, "plexypay.outcome": each})
        self._outcomes.add(1, labels)
        self._call_duration.record(call.seconds or 0.0, labels)
        self._call_waiting.record(call.waited, {"plexypay.operation": operation})
        if call.attempts:
            self._call_attempts.record(call.attempts, labels)

    # ---------------------------------------------------------------------------------------- attempts

    def attempt_began(self, attempt: ObservedAttempt) -> None:
        """Begin the span of a request, make it the current one, and send it along as the parent."""
        call = attempt.call
        parent = self._calls.get(call)
        job = None if call.job is None else self._jobs.get(call.job)
        if job is not None:
            parent = job.span
        if parent is None or job is not None or not parent.is_recording():
            # What is not recorded has no spans below it, and says so to the server.
            if parent is not None:
                self._propagator.inject(attempt.headers, trace.set_span_in_context(parent))
            return
        span = self._tracer.start_span(
            _request_name(attempt),
            trace.set_span_in_context(parent),
            SpanKind.CLIENT,
            {**self._request_attributes(attempt), "plexypay.purpose": attempt.purpose},
        )
        if attempt.purpose == "operation" and attempt.number > 1:
            span.set_attribute("http.request.resend_count", attempt.number - 1)
        current = trace.set_span_in_context(span)
        self._attempts[attempt] = span, context.attach(current)
        self._propagator.inject(attempt.headers, current)

    def attempt_ended(self, attempt: ObservedAttempt) -> None:
        """End the span of a request, and measure it."""
        answered: Attributes = {}
        if attempt.status is not None:
            answered["http.response.status_code"] = attempt.status
        failed = _error_type(attempt)
        known = self._attempts.pop(attempt, None)
        if known is not None:
            span, token = known
            # Not where another has taken its place meanwhile, as of two tasks that share a context.
            if trace.get_current_span() is span:
                context.detach(token)
            span.set_attributes(answered)
            if attempt.request_id is not None:
                span.set_attribute("plexypay.request_id", attempt.request_id)
            if attempt.code is not None:
                span.set_attribute("plexypay.error_code", str(attempt.code))
            _note_failure(span, attempt)
            span.end()
        labels = {**self._request_attributes(attempt), **answered, **failed}
        self._request_duration.record(attempt.seconds or 0.0, labels)

    def _request_attributes(self, attempt: ObservedAttempt) -> Attributes:
        attributes: Attributes = {
            "http.request.method": attempt.method,
            **self._address(attempt.call.base_url),
        }
        if attempt.url_template is not None:
            attributes["url.template"] = attempt.url_template
        return attributes

    def _address(self, base_url: str) -> Attributes:
        known = self._addresses.get(base_url)
        if known is None:
            parts = urlsplit(base_url)
            port = parts.port or (80 if parts.scheme == "http" else 443)
            host = parts.hostname or ""
            known = self._addresses[base_url] = {
                "server.address": host,
                "server.port": port,
                "url.scheme": parts.scheme,
            }
        return known

    def _add_reference(self, attributes: Attributes, reference: str | None) -> None:
        if reference is not None and self._order_references:
            attributes["plexypay.order_reference"] = reference

    # -------------------------------------------------------------------------------------------- jobs

    def job_began(self, job: ObservedJob) -> None:
        """Begin the span of a bulk job."""
        span = self._tracer.start_span(
            job.operation, kind=SpanKind.INTERNAL, attributes={"plexypay.operation": job.operation}
        )
        self._jobs[job] = _JobSpan(span)

    def job_changed(self, job: ObservedJob) -> None:
        """Note a change of the job's limit as an event."""
        known, progress = self._jobs.get(job), job.progress
        if known is None or progress is None or progress.reason == known.reason:
            return
        known.reason = progress.reason
        known.add_event("limit", {"plexypay.limit": progress.limit, "plexypay.reason": progress.reason})

    def row_failed(self, row: ObservedRow) -> None:
        """Note a failed row as an event of its job's span."""
        known = self._jobs.get(row.job)
        if known is not None:
            attributes: Attributes = {"plexypay.row": row.index, "error.type": type(row.error).__name__}
            if row.error.outcome is not None:
                attributes["plexypay.outcome"] = row.error.outcome.value
            self._add_reference(attributes, row.order_reference)
            known.add_event("row failed", attributes)

    def job_ended(self, job: ObservedJob) -> None:
        """End the span of a bulk job, with its sums."""
        known, progress = self._jobs.pop(job, None), job.progress
        if known is None:
            return
        if progress is not None:
            known.span.set_attributes(
                {
                    "plexypay.job.created": progress.created,
                    "plexypay.job.recovered": progress.recovered,
                    "plexypay.job.failed": progress.failed,
                }
            )
        if job.error is not None:
            kind = type(job.error).__name__
            known.span.set_attribute("error.type", kind)
            known.span.set_status(Status(StatusCode.ERROR, kind))
        known.span.end()

    # ---------------------------------------------------------------------------------------- webhooks

    def webhook_received(self, webhook: ObservedWebhook) -> None:
        """Write the span of a delivery, and count it."""
        event = webhook.event if webhook.is_known else None
        labels: Attributes = {"plexypay.webhook.event": event or ("refused" if webhook.error else "unknown")}
        if webhook.error is not None:
            labels["error.type"] = type(webhook.error).__name__
        self._deliveries.add(1, labels)
        began = int(webhook.began_at.timestamp() * 1e9)
        attributes: Attributes = {**labels, "plexypay.webhook.repeated": webhook.repeated}
        self._add_reference(attributes, webhook.order_reference)
        if webhook.transaction_id is not None:
            attributes["plexypay.transaction_id"] = webhook.transaction_id
        span = self._tracer.start_span(
            "webhook received", kind=SpanKind.INTERNAL, attributes=attributes, start_time=began
        )
        if webhook.error is not None:
            span.set_status(Status(StatusCode.ERROR, type(webhook.error).__name__))
        span.end(began + int((webhook.seconds or 0.0) * 1e9))


def _what_drops(sampler: Any) -> bool | None:
    """Tell, by its description, whether one of the SDK's own samplers drops all; that of no SDK is None.

    None where it does what the span above says.
    """
    told = "AlwaysOffSampler" if sampler is None else str(sampler.get_description())
    if told.count("ParentNotSampled:AlwaysOffSampler") == len(("remote", "local")):
        return None
    return told == "AlwaysOffSampler"


class _JobSpan:
    """The span of a job, with how many events of each kind it has."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.reason = ""
        self._events: dict[str, int] = {}

    def add_event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Add an event, unless there are many of its kind already."""
        number = self._events[name] = self._events.get(name, 0) + 1
        if number <= MOST_EVENTS:
            self.span.add_event(name, dict(attributes))


def _operation(call: ObservedCall) -> str:
    return _RAW if call.url_template is None else call.operation


def _request_name(attempt: ObservedAttempt) -> str:
    """Return a span's name as the conventions have it: the method, and the template where there is one."""
    template = attempt.url_template
    return attempt.method if template is None else f"{attempt.method} {template}"


def _outcome(call: ObservedCall) -> str:
    """Return what became of a call; a read, which changes nothing, is done or failed."""
    if call.method == "GET":
        return "failed" if _has_failed(call) else "done"
    return "unknown" if call.outcome is None else call.outcome.value


def _has_failed(call: ObservedCall) -> bool:
    finds_nothing = call.expects_nothing and isinstance(call.error, NotFoundError)
    return call.cancelled or (call.error is not None and not finds_nothing)


def _error_type(seen: ObservedCall | ObservedAttempt) -> Attributes:
    """Return why something has failed, as the conventions name it: a status, or the kind of an exception."""
    if isinstance(seen, ObservedAttempt) and seen.timed_out:
        return {"error.type": "timeout"}
    if seen.cancelled:
        return {"error.type": "cancelled"}
    if seen.error is None or (isinstance(seen, ObservedCall) and not _has_failed(seen)):
        return {}
    if isinstance(seen, ObservedAttempt) and seen.status is not None:
        return {"error.type": str(seen.status)}
    return {"error.type": type(seen.error).__name__}


def _note_failure(span: Span, seen: ObservedCall | ObservedAttempt) -> None:
    """Let a span say that it stands for a failure, without the message, which quotes the server."""
    failed = _error_type(seen)
    if failed:
        span.set_attributes(failed)
        told = f"outcome: {_outcome(seen)}" if isinstance(seen, ObservedCall) else None
        span.set_status(Status(StatusCode.ERROR, told))
