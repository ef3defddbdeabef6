"""No secret is anywhere in what an error tracker could write out, whatever fails, on both facades."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import plexypay_async.errors as errors_module
from plexypay_async import AsyncPlexyPay, CreatePaymentLink, PlexyPayError
from plexypay_async._foreign import prepared
from plexypay_async.bulk.frames import without_job_frames
from plexypay_async.bulk.partition import PartitionSettings, create_partition
from plexypay_sync import PlexyPay
from tests.faults.direct_calls import strike_writing
from tests.faults.scripted import CREATED, DROP, SILENCE
from tests.frames import exposures, record_exposures

from .provocations import (
    API_KEY,
    BULK,
    CALLS,
    NUMBER,
    QUICK,
    SECRETS,
    Provocation,
    answers,
    provocations,
    scripted_apart,
)

FACADES = pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=["async", "sync"])
OPTIONS: dict[str, Any] = {"api_key": API_KEY, "timeout": 0.3, "read_timeout": 0.05, "retry": QUICK}
LIMIT = 5.0
"""Seconds within which every provocation has ended."""
NEVER_RAISED = {"PlexyPayError", "WebhookError", "IdempotencyError"}
"""What others are derived from, and what the Pay API does not answer: see `test_exposure_other_apis`."""


class HungError(AssertionError):
    """A call that did not end."""


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", 0.01)


@pytest.fixture(autouse=True)
def hidden_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    for name in ("plexypay", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    yield
    assert not record_exposures(caplog.records, SECRETS)


def _ends(facade: type[Any], provocation: Provocation) -> list[BaseException]:
    """Perform a provocation; return every error that it raised or reported."""
    with scripted_apart(provocation.routes, listening=provocation.listening) as url:
        options = {"base_url": url, **OPTIONS, **provocation.options}
        found: list[BaseException] = []
        if facade is PlexyPay:
            # Not a time-out on the loop: what hangs holds this thread.
            caller = threading.Thread(target=_sync_ends, args=(options, provocation.call, found), daemon=True)
            caller.start()
            caller.join(LIMIT)
            hangs = caller.is_alive()
        else:
            hangs = asyncio.run(_hangs(options, provocation.call, found))
    if hangs:
        found.append(HungError(f"{provocation.name} did not end in {LIMIT:g} s"))
    return found


async def _hangs(options: dict[str, Any], call: Callable[[Any], Any], found: list[BaseException]) -> bool:
    ends = asyncio.ensure_future(_async_ends(options, call, found))
    _, pending = await asyncio.wait([ends], timeout=LIMIT)
    ends.cancel()
    return bool(pending)


def _sync_ends(options: dict[str, Any], call: Callable[[Any], Any], found: list[BaseException]) -> None:
    with PlexyPay(**options) as plexy:
        try:
            ended = call(plexy)
            if inspect.isgenerator(ended):
                _read(ended, found)
        except BaseException as error:  # noqa: BLE001 - whatever it is must hide the secrets
            found.append(error)


def _read(results: Any, found: list[BaseException]) -> None:
    for result in results:
        if result.error is not None:
            found.append(result.error)  # noqa: PERF401 - what was there before the job failed counts


async def _async_ends(
    options: dict[str, Any], call: Callable[[Any], Any], found: list[BaseException]
) -> None:
    async with AsyncPlexyPay(**options) as plexy:
        try:
            ended = call(plexy)
            if inspect.isasyncgen(ended):
                await _read_async(ended, found)
            elif inspect.isawaitable(ended):
                await ended
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is must hide the secrets
            found.append(error)


async def _read_async(results: Any, found: list[BaseException]) -> None:
    async for result in results:
        if result.error is not None:
            found.append(result.error)  # noqa: PERF401 - what was there before the job failed counts


def _exposed(name: str, errors: Iterable[BaseException]) -> list[tuple[str, str]]:
    """Return where secrets stand in errors, with the name of what raised them."""
    return [
        (name, f"{type(error).__name__}: {place}") for error in errors for place in exposures(error, SECRETS)
    ]


def _told(exposed: list[tuple[str, str]], tried: int) -> str:
    """Say which of those that were tried show a secret, and where each shows it first."""
    first = dict(reversed(exposed))
    return "\n".join(
        [
            f"{len(exposed)} exposures in {len(first)} of {tried}:",
            *(f"  {n}: {first[n][:200]}" for n in first),
        ]
    )


@FACADES
def test_every_error_class_hides_every_secret(facade: type[Any], tmp_path: Path) -> None:
    exposed: list[tuple[str, str]] = []
    hung: list[str] = []
    others: list[str] = []
    provoked: set[str] = set()
    every = provocations(tmp_path)
    for provocation in every:
        errors = _ends(facade, provocation)
        others += [f"{provocation.name}: raised nothing"] * (not errors)
        hung += [str(error) for error in errors if isinstance(error, HungError)]
        if provocation.error is not None:
            wrong = [error for error in errors if not isinstance(error, provocation.error)]
            others += [f"{provocation.name}: {error!r}" for error in wrong]
        provoked |= {type(error).__name__ for error in errors}
        exposed += _exposed(provocation.name, errors)
    assert not exposed, _told(exposed, len(every))
    assert not hung
    assert not others
    known = {
        name
        for name in errors_module.__all__
        if isinstance(kind := getattr(errors_module, name), type) and issubclass(kind, PlexyPayError)
    }
    assert known - NEVER_RAISED <= provoked


@FACADES
@pytest.mark.parametrize("name", answers())
def test_no_answer_to_any_call_brings_a_secret_to_light(name: str, facade: type[Any], tmp_path: Path) -> None:
    exposed: list[tuple[str, str]] = []
    calls: dict[str, Callable[[Any], Any]] = {
        **CALLS,
        **{bulk: partial(call, folder=tmp_path) for bulk, call in BULK.items()},
    }
    for called, call in calls.items():
        errors = _ends(facade, Provocation(called, call, routes={"*": answers()[name][0]}))
        exposed += _exposed(called, errors)
    assert not exposed, _told(exposed, len(calls))


@pytest.mark.parametrize("name", answers())
def test_no_answer_to_a_partition_brings_a_secret_to_light(name: str) -> None:
    rows = [{"amount": 1, "currency": "KZT", "order_reference": "order-1"}]
    settings = {**OPTIONS, "timeout": 0.1}
    with scripted_apart({"*": answers()[name][0]}) as url:
        for given in ({**settings, "base_url": url}, PartitionSettings(base_url=url, **settings)):
            records = create_partition(rows, given)
            assert not _exposed("a record", [_holding(records)])


WRONG_SETTINGS: dict[str, Any] = {
    "an unknown option": {**OPTIONS, "colour": "blue"},
    "a wrong time-out": {**OPTIONS, "timeout": "soon"},
    "a wrong address": {**OPTIONS, "base_url": f"https://me:{API_KEY}@host.example"},
    "a wrong key": {**OPTIONS, "api_key": f"{API_KEY}\n"},
    "too many at once": {**OPTIONS, "concurrency": 1_000},
    "no mapping": [API_KEY],
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_wrong_settings_of_a_partition_hide_every_secret(name: str) -> None:
    with pytest.raises(PlexyPayError) as caught:
        create_partition([{"amount": 1, "currency": "KZT", "order_reference": "o"}], WRONG_SETTINGS[name])
    assert not _exposed(name, [caught.value])


class ForeignError(RuntimeError):
    """What the caller's own code raises."""


class ForeignStop(BaseException):
    """What the caller's own code raises to stop all."""


KINDS = pytest.mark.parametrize("kind", [ForeignError, ForeignStop, KeyboardInterrupt, SystemExit])


def _rows(count: int = 3) -> Iterator[dict[str, Any]]:
    for number in range(count):
        reference = f"order-{number}"
        yield {"amount": 1, "currency": "KZT", "order_reference": reference, "description": NUMBER}


@pytest.mark.parametrize("kind", [ForeignError, ForeignStop, KeyboardInterrupt, GeneratorExit])
def test_a_partition_whose_rows_raise_hides_every_secret(kind: type[BaseException]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from _rows()
        raise kind("no more rows")

    with scripted_apart({"*": CREATED}) as url, pytest.raises(kind) as caught:
        create_partition(rows(), {**OPTIONS, "base_url": url})
    assert not _exposed("rows that raise", [caught.value])


@pytest.mark.parametrize("kind", [ForeignStop, KeyboardInterrupt, SystemExit])
def test_a_partition_whose_key_raises_hides_every_row(kind: type[BaseException]) -> None:
    def key() -> str:
        raise kind("no key today")

    with scripted_apart({"*": CREATED}) as url, pytest.raises(kind) as caught:
        create_partition(_rows(), {**OPTIONS, "base_url": url, "api_key": key})
    assert not _exposed("a key that raises", [caught.value])


# ------------------------------------------------------------------------------------------- signals


@contextmanager
def _interrupted(kind: type[BaseException], after: float) -> Iterator[None]:
    """Let a signal's handler raise in the main thread.

    The event loop logs what is raised within a callback: then the signal comes again.
    """

    def handle(*_: object) -> None:
        raise kind("a signal came")

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, after, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


SIGNALLED = pytest.mark.parametrize("kind", [ForeignError, ForeignStop, KeyboardInterrupt])


@SIGNALLED
def test_an_interrupted_partition_hides_every_secret(kind: type[BaseException]) -> None:
    with scripted_apart({"*": SILENCE}) as url, pytest.raises(kind) as caught, _interrupted(kind, 0.1):
        create_partition(_rows(), {**OPTIONS, "base_url": url, "read_timeout": 5.0, "timeout": 5.0})
    assert not _exposed("an interrupted partition", [caught.value])


@SIGNALLED
@pytest.mark.parametrize("called", [*CALLS, "a page", "create_many"])
def test_an_interrupted_sync_call_hides_every_secret(called: str, kind: type[BaseException]) -> None:
    def call(plexy: PlexyPay) -> None:
        if called == "a page":
            next(iter(plexy.payment_links.list()))
        elif called == "create_many":
            list(plexy.payment_links.create_many(CreatePaymentLink(**row) for row in _rows(600)))
        else:
            CALLS[called](plexy)

    options = {**OPTIONS, "read_timeout": 5.0, "timeout": 5.0}
    if called == "wait":
        # Its own time is shorter than that of the signal.
        pytest.skip("it has ended before")
    with scripted_apart({"*": SILENCE}) as url:
        options["base_url"] = url
        with PlexyPay(**options) as plexy, pytest.raises(kind) as caught, _interrupted(kind, 0.1):
            call(plexy)
    assert not _exposed(called, [caught.value])


@SIGNALLED
@pytest.mark.parametrize("called", [name for name in CALLS if name != "wait"])
def test_an_interrupted_async_call_hides_every_secret(called: str, kind: type[BaseException]) -> None:
    """The signal strikes where the request is written: directly, or in a task of aiohttp's."""
    from aiohttp.http import StreamWriter

    def strike(*_: object, **__: object) -> None:
        raise kind("a signal came")

    async def main(url: str) -> None:
        async with AsyncPlexyPay(**OPTIONS, base_url=url) as plexy:
            await CALLS[called](plexy)

    with pytest.MonkeyPatch.context() as patch, scripted_apart({"*": CREATED}) as url:
        patch.setattr(StreamWriter, "_write", strike)
        patch.setattr(StreamWriter, "_writelines", strike)
        strike_writing(patch, strike)
        with pytest.raises((kind, PlexyPayError)) as caught:
            asyncio.run(main(url))
    assert not _exposed(called, [caught.value])


@pytest.mark.parametrize("called", CALLS)
def test_a_call_that_is_cut_off_hides_every_secret(called: str) -> None:
    async def cut(how: str, url: str) -> BaseException | None:
        async with AsyncPlexyPay(
            **{**OPTIONS, "base_url": url, "read_timeout": 5.0, "timeout": 5.0}
        ) as plexy:
            calling = asyncio.ensure_future(CALLS[called](plexy))
            await asyncio.sleep(0.03)
            if how == "closed":
                await plexy.close()
            try:
                if how == "cancelled":
                    calling.cancel()
                await asyncio.wait_for(calling, 0.01 if how == "timed out" else 2)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - any of them
                return error
        return None

    for how in ("cancelled", "timed out", "closed"):
        with scripted_apart({"*": SILENCE}) as url:
            error = asyncio.run(cut(how, url))
        assert error is not None
        assert not _exposed(how, [error])


@pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
@pytest.mark.parametrize("called", [*CALLS, *BULK])
@KINDS
def test_a_foreign_exception_hides_every_secret(
    called: str, kind: type[BaseException], tmp_path: Path
) -> None:
    import aiohttp

    async def raise_it(*_: Any) -> None:
        raise kind("a tracer failed")

    async def fail(event: str, url: str) -> list[BaseException]:
        tracing = aiohttp.TraceConfig()
        getattr(tracing, event).append(raise_it)
        async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
            (tmp_path / event).mkdir()
            call = CALLS.get(called) or partial(BULK[called], folder=tmp_path / event)
            options = {**OPTIONS, "base_url": url, "session": session}
            found: list[BaseException] = []
            if await _hangs(options, call, found):
                found.append(HungError(f"{called} did not end in {LIMIT:g} s"))
            return found

    for event in (
        "on_request_start",
        "on_request_headers_sent",
        "on_request_end",
        "on_connection_create_start",
    ):
        with scripted_apart({"*": CREATED}) as url:
            errors = asyncio.run(fail(event, url))
        exposed = _exposed(event, errors)
        hung = [str(error) for error in errors if isinstance(error, HungError)]
        assert errors, event
        # Of a connection that aiohttp has lost to a tracer's exception it warns here, and in no other test.
        errors.clear()
        gc.collect()
        assert not exposed
        assert not hung


@pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
@pytest.mark.parametrize("called", [*CALLS, *BULK])
@KINDS
def test_what_a_middleware_makes_of_aiohttps_errors_hides_every_secret(
    called: str, kind: type[BaseException], tmp_path: Path
) -> None:
    import aiohttp

    async def instead(request: Any, handler: Any) -> Any:
        try:
            await handler(request)
            raise aiohttp.ClientError("no good")
        except aiohttp.ClientError as error:
            group = BaseExceptionGroup("both", [error, kind("inside")])
            raise kind("a middleware failed") from group

    async def fail(url: str) -> list[BaseException]:
        async with aiohttp.ClientSession(middlewares=[instead]) as session:
            call = CALLS.get(called) or partial(BULK[called], folder=tmp_path)
            found: list[BaseException] = []
            await _hangs({**OPTIONS, "base_url": url, "session": session}, call, found)
            return found

    for answer in (CREATED, DROP):
        with scripted_apart({"*": answer}) as url:
            errors = asyncio.run(fail(url))
        # An answer that has come stands, whatever a middleware raises afterwards.
        assert errors or answer is CREATED
        assert not _exposed(called, errors)


@FACADES
def test_no_client_shows_its_key(facade: type[Any], tmp_path: Path) -> None:
    plexy = facade(API_KEY, base_url="http://127.0.0.1:1")
    derived = plexy.with_options(api_key=f"{API_KEY[:-1]}1", timeout=1.0)
    held = {
        "client": plexy,
        "vars": vars(plexy),
        "group": plexy.payment_links,
        "call": plexy.payment_links.create,
        "listing": plexy.payment_links.list(),
        "job": plexy.payment_links.create_many([]),
    }
    for name, each in held.items():
        assert not _exposed(name, [_holding(each)])
    # Given a key, they travel with it, so their pickle is another matter.
    settings = _exposed("partition settings", [_holding(PartitionSettings(api_key=API_KEY))])
    assert not [place for place in settings if not place[1].endswith("its pickle")]
    assert not exposures(_holding(derived), [f"{API_KEY[:-1]}1"])
    if facade is PlexyPay:
        plexy.close()


def _holding(value: Any) -> BaseException:
    """Return an error that refers to something, for a walk to begin at."""
    error = RuntimeError("a place to begin")
    error.held = value  # type: ignore[attr-defined]
    return error


def test_what_a_signal_raises_keeps_none_of_the_librarys_frames() -> None:
    """They come twice, with a frame of another's between them."""

    def strike() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        prepared(lambda: prepared(strike))
    without_job_frames(caught.value, of_caller=True)
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert "prepared" not in names
    assert names[-1] == "strike"
