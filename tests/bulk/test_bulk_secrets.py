"""Neither the API key nor a row is in a frame's locals of what a bulk job or a partition raises."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, Journal, PlexyPayError
from plexypay_async._core.call import Call
from plexypay_async.bulk import PartitionSettings, create_partition
from plexypay_sync import PlexyPay

from .ledger_server import ledger
from .rows import QUICK, Source, row, rows, run_to_error
from .sandbox_thread import SandboxThread

KEY = "pr_secret_of_the_merchant"
CUSTOMER = "Aigerim of Almaty"
DEEP = 12


def walked(value: Any, seen: set[int], texts: list[str], depth: int = 0) -> None:
    """Add everything that a value shows, as deeply as its attributes and items go."""
    if depth > DEEP or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, (str, bytes)):
        texts.append(value if isinstance(value, str) else value.decode("latin-1"))
        return
    if isinstance(value, (int, float, type(None), type)) or type(value).__module__ in ("builtins", "asyncio"):
        parts: list[Any] = []
        if isinstance(value, dict):
            parts = [*value, *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            parts = list(value)
        else:
            return
    else:
        texts.append(repr(value))
        parts = list(getattr(value, "__dict__", {}).values())
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                parts.append(getattr(value, name, None))
        if type(value).__module__ == "collections":
            parts += list(value)
    for part in parts:
        if not callable(part) or hasattr(part, "__slots__") or hasattr(part, "__dict__"):
            walked(part, seen, texts, depth + 1)


def shown(error: BaseException) -> str:
    """Return what can be read from an error, its causes, and the library's frames in their tracebacks."""
    texts: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    met: list[BaseException] = []
    while waiting:
        one = waiting.pop()
        if one is None or any(one is other for other in met):
            continue
        met.append(one)
        texts += [str(one), repr(one)]
        traceback = one.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if "/plexypay_" in frame.f_code.co_filename or "aiohttp" in frame.f_code.co_filename:
                for value in list(frame.f_locals.values()):
                    walked(value, seen, texts)
            traceback = traceback.tb_next
        waiting += [one.__cause__, one.__context__, *getattr(one, "attempts", ())]
    return "\n".join(texts)


def assert_hidden(error: BaseException | None, *secrets: str) -> None:
    assert error is not None
    text = shown(error)
    for secret in secrets or (KEY, CUSTOMER):
        at = text.find(secret)
        assert at < 0, text[max(0, at - 200) : at + 200]


def test_the_walk_finds_what_is_there() -> None:
    @attrs.define
    class Holder:
        key: str

    texts: list[str] = []
    walked({"a": [Holder(KEY)]}, set(), texts)
    assert KEY in "\n".join(texts)


def _of_no_journal(path: Path) -> None:
    path.write_text("no journal")


def _of_another_address(path: Path) -> None:
    from plexypay_async._privacy.secret import Secret

    with Journal(path) as journal:
        journal.open()
        journal.belongs_to("https://elsewhere.example", Secret("other"))


def _of_another_key(path: Path) -> None:
    from plexypay_async._privacy.secret import Secret

    with Journal(path) as journal:
        journal.open()
        journal.belongs_to("http://127.0.0.1:1", Secret("other"))
        journal.exchange([], [], [(0, "ORD-9", b"")])


def customers(count: int) -> list[Any]:
    return [row(number, description=CUSTOMER) for number in range(count)]


@pytest.mark.asyncio
@pytest.mark.parametrize("prepare", [_of_no_journal, _of_another_address, _of_another_key])
async def test_a_journal_that_is_refused_shows_nothing(
    tmp_path: Path, prepare: Callable[[Path], None]
) -> None:
    path = tmp_path / "journal"
    prepare(path)
    async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1", retry=QUICK) as plexy:
        _, error = await run_to_error(plexy, customers(3), journal=path)
    assert isinstance(error, ConfigurationError)
    assert_hidden(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [RuntimeError, KeyError, SystemExit])
async def test_what_ends_a_worker_shows_nothing(
    tmp_path: Path, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_: Call[Any]) -> None:
        raise kind("x")

    monkeypatch.setattr(Call, "run", run)
    async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1") as plexy:
        _, error = await run_to_error(plexy, customers(3), journal=tmp_path / "journal")
    assert isinstance(error, kind)
    assert_hidden(error)


@pytest.mark.asyncio
async def test_a_journal_that_fails_and_a_key_that_is_refused_show_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger() as server:
        server.keys = {"another"}
        async with AsyncPlexyPay(KEY, base_url=server.base_url, retry=QUICK) as plexy:
            _, refused = await run_to_error(plexy, customers(500), journal=tmp_path / "journal")

            def fail(*_: Any) -> None:
                raise OSError("x")

            monkeypatch.setattr(Journal, "exchange", fail)
            _, failed = await run_to_error(plexy, customers(500), journal=tmp_path / "another")
    assert isinstance(refused, PlexyPayError)
    assert_hidden(refused)
    assert isinstance(failed, OSError)
    assert_hidden(failed)


@pytest.mark.asyncio
async def test_an_error_of_the_source_keeps_the_callers_frames_and_no_others(tmp_path: Path) -> None:
    async with ledger() as server, AsyncPlexyPay(KEY, base_url=server.base_url) as plexy:
        for slow in (False, True):
            source = Source(9, fails_at=5)
            _, error = await run_to_error(
                plexy, source.slowly() if slow else source, journal=tmp_path / f"{slow}"
            )
            assert isinstance(error, LookupError)
            assert_hidden(error, KEY)
            frames = []
            traceback = error.__traceback__
            while traceback is not None:
                frames.append(traceback.tb_frame.f_code.co_name)
                traceback = traceback.tb_next
            assert frames[-1] == "__iter__"
            assert "_claim_batch" not in frames


def test_the_sync_facade_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("no journal")
    with SandboxThread() as served, PlexyPay(KEY, base_url=served.base_url, retry=QUICK) as plexy:
        for path in (tmp_path / "journal", None):
            with pytest.raises(PlexyPayError) as caught:
                for _ in plexy.payment_links.create_many(customers(500), journal=path):
                    pass
            assert_hidden(caught.value)


# ------------------------------------------------------------------------------------------- partitions


def test_settings_show_their_key_nowhere_but_in_a_pickle() -> None:
    settings = PartitionSettings(api_key=KEY, base_url="http://127.0.0.1:1")
    texts: list[str] = [repr(settings), str(settings), repr(attrs.asdict(settings))]
    walked(settings, set(), texts)
    walked(attrs.asdict(settings), set(), texts)
    assert KEY not in "\n".join(texts)
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.client()._execution.settings.base_url == "http://127.0.0.1:1"
    assert attrs.evolve(settings, timeout=5.0).api_key == settings.api_key


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (customers(3), {"api_key": KEY, "nonsense": 1}),
        (customers(3), {"api_key": KEY, "base_url": "ftp://x"}),
        (customers(3), {"api_key": KEY + "\n"}),
        (customers(3), {"api_key": KEY, "concurrency": 10_000}),
        ({"api_key": KEY, "description": CUSTOMER}, {"api_key": KEY}),
        (5, {"api_key": KEY}),
        (customers(3), [KEY]),
    ],
)
def test_a_partition_that_is_refused_shows_nothing(given: Any, settings: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_partition(given, settings)
    assert_hidden(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        create_partition(rows(1), None)  # type: ignore[arg-type]
    assert_hidden(caught.value)


def test_what_iterating_over_the_rows_raises_shows_nothing_of_the_librarys() -> None:
    def given() -> Any:
        yield from customers(2)
        raise LookupError("the disk is gone")

    settings = {"api_key": KEY, "base_url": "http://127.0.0.1:1", "timeout": 0.5}
    with pytest.raises(LookupError) as caught:
        create_partition(given(), settings)
    assert_hidden(caught.value)
