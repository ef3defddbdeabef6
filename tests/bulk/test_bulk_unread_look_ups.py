"""A row whose link can be read nowhere as a whole settles by what is told of it, and never by a guess."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    BulkResult,
    CreatePaymentLink,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    UnreadableResponseError,
)
from plexypay_async.bulk.journal import Journal
from plexypay_async.bulk.journal_format import State
from plexypay_sync import PlexyPay
from tests.faults.scripted import BY_REFERENCE, KEY, LINKS, NOT_FOUND, SHORT, Answer, Cut, Script, Seen, link
from tests.faults.scripted import serving as serving_script

Document = dict[str, Any]
Change = Callable[[Document], Any]

URL = "https://pay.example/pl_5e9f"
LUHN = "pl_4111111111111111"


@pytest.fixture(autouse=True)
def short_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plexypay_async._core.record.LATE_WORK", "plexypay_async.bulk.intake.LATE_WORK"):
        monkeypatch.setattr(name, 0.02)


def with_fields(**fields: Any) -> Change:
    return lambda document: {**document, **fields}


def as_it_is(document: Document) -> Document:
    return document


def short_form(document: Document) -> Document:
    """A link as the list shows it."""
    return {name: value for name, value in document.items() if name != "url"}


class Shop:
    """Makes one link, and shows it in the forms given."""

    def __init__(
        self,
        created: Change,
        looked_up: Change | None = None,
        retrieved: Change | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.created = created
        self.looked_up = looked_up or created
        self.retrieved = retrieved or self.looked_up
        self.cut = cut
        self.made: Document | None = None
        self.script = Script(
            {"POST *": self._create, f"GET {BY_REFERENCE}/*": self._find, "GET *": self._get}
        )

    def _create(self, seen: Seen) -> Any:
        asked = seen.json
        self.made = link(asked["orderReference"], amount=asked["amount"])
        answer = Answer(201, self.created(self.made))
        return Cut(answer) if self.cut else answer

    def _find(self, seen: Seen) -> Answer:
        return NOT_FOUND if self.made is None else Answer(200, self.looked_up(self.made))

    def _get(self, seen: Seen) -> Answer:
        return NOT_FOUND if self.made is None else Answer(200, self.retrieved(self.made))

    async def runs(self, journal: Path, count: int = 3) -> list[BulkResult]:
        """Run the same job so many times; nothing but the first run may create."""
        results: list[BulkResult] = []
        async with serving_script(self.script) as server:
            for _ in range(count):
                async with AsyncPlexyPay(
                    KEY, base_url=server.url, retry=SHORT, timeout=5, read_timeout=0.2
                ) as plexy:
                    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference="ORD-1")]
                    results += [
                        row async for row in plexy.payment_links.create_many(rows, journal=journal, timeout=5)
                    ]
        assert self.script.count(f"POST {LINKS}") == 1
        return results


def states(journal: Path) -> dict[State, int]:
    with Journal(journal) as opened:
        opened.open()
        return opened.counts()


# --------------------------------------------------------------------- the create's answer cannot be read


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (with_fields(id=12345), ("12345", URL)),
        (with_fields(id=LUHN, status=None), (LUHN, URL)),
        (with_fields(id={"Value": LUHN, "Valid": True}, status=None), (LUHN, URL)),
        (with_fields(url=f"https://pay/{LUHN}", status=None), ("pl_1", f"https://pay/{LUHN}")),
        (with_fields(metadata={"note": "x" * 70_000}, status=None), ("pl_1", URL)),
        (with_fields(amount=-100), ("pl_1", URL)),
        (with_fields(amount=2**63), ("pl_1", URL)),
        (with_fields(amount=10**25), ("pl_1", URL)),
        (with_fields(currency=""), ("pl_1", URL)),
        (with_fields(url=""), ("pl_1", None)),
    ],
    ids=[
        "number",
        "luhn id",
        "wrapped luhn id",
        "luhn url",
        "large",
        "negative",
        "2**63",
        "huge",
        "currency",
        "url",
    ],
)
@pytest.mark.asyncio
async def test_a_row_settles_by_its_links_id_in_every_run(
    change: Change, told: tuple[str, str], tmp_path: Path
) -> None:
    results = await Shop(change).runs(tmp_path / "j")
    for result in results:
        assert isinstance(result.error, UnreadableResponseError)
        assert result.error.outcome is Outcome.DONE
        assert (result.link_id, result.url) == told
        shown = f"{result.error} {result!r} {result.error.raw} {result.error.body}"
        assert "4111111111111111" not in shown
    assert [result.recovered for result in results] == [False, True, True]
    assert states(tmp_path / "j") == {State.DONE: 1}


@pytest.mark.asyncio
async def test_a_link_whose_id_cannot_be_read_settles_by_its_url(tmp_path: Path) -> None:
    shop = Shop(with_fields(id={"a": 1}))
    for result in await shop.runs(tmp_path / "j"):
        assert isinstance(result.error, UnreadableResponseError)
        assert (result.error.outcome, result.link_id, result.url) == (Outcome.DONE, None, URL)
    # One look-up each, for no answer of it is one to another question.
    assert shop.script.count("GET *") == 2


@pytest.mark.asyncio
async def test_the_api_key_is_told_as_no_id(tmp_path: Path) -> None:
    change = with_fields(id=f"pl_{KEY}", url=f"https://pay/{KEY}", status=None)
    (result,) = await Shop(change).runs(tmp_path / "j", 1)
    assert (result.link_id, result.url) == (None, None)
    assert KEY not in repr(vars(result.error))


# ------------------------------------------------------------------- the create's answer is lost on its way


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (short_form, ("pl_1", None)),
        (with_fields(status=None), ("pl_1", URL)),
        (with_fields(url=""), ("pl_1", None)),
        (with_fields(id={"Value": "pl_1"}, orderReference={"Value": "ORD-1"}, status=[]), ("pl_1", URL)),
        (with_fields(id=LUHN, status=None), (LUHN, URL)),
        (with_fields(metadata={"note": "x" * 70_000}, status=None), ("pl_1", URL)),
    ],
    ids=["short form", "status", "url", "wrapped", "luhn id", "large"],
)
@pytest.mark.asyncio
async def test_a_look_up_that_cannot_be_read_settles_the_row_by_the_links_id(
    change: Change, told: tuple[str, str], tmp_path: Path
) -> None:
    shop = Shop(as_it_is, change, cut=True)
    first, *others = await shop.runs(tmp_path / "j")
    for result in (first, *others):
        assert isinstance(result.error, UnreadableResponseError)
        assert result.error.outcome is Outcome.DONE
        assert (result.link_id, result.url, result.recovered) == (*told, True)
    assert "the link is there, and cannot be read as a whole" in str(first.error)
    # The first run looked it up, and retrieved it; the others have its id from the journal.
    assert shop.script.count(f"GET {BY_REFERENCE}/*") == 1
    assert shop.script.count("GET *") == 4
    assert states(tmp_path / "j") == {State.DONE: 1}


@pytest.mark.parametrize("change", [short_form, with_fields(status=None)], ids=["short form", "status"])
@pytest.mark.asyncio
async def test_what_a_look_up_cannot_tell_is_retrieved_by_the_links_id(
    change: Change, tmp_path: Path
) -> None:
    shop = Shop(as_it_is, change, as_it_is, cut=True)
    first, again = await shop.runs(tmp_path / "j", 2)
    assert first.error is None
    assert first.link is not None
    assert (first.link_id, first.url, first.recovered) == ("pl_1", URL, True)
    assert again.from_journal


@pytest.mark.parametrize(
    "change",
    [
        with_fields(amount="abc"),
        with_fields(amount=-100),
        with_fields(currency=""),
        with_fields(currency=None),
    ],
    ids=["amount", "negative", "empty currency", "no currency"],
)
@pytest.mark.asyncio
async def test_a_link_whose_amount_is_not_seen_is_not_said_to_be_the_rows(
    change: Change, tmp_path: Path
) -> None:
    for result in await Shop(lambda _: b"{", change, cut=True).runs(tmp_path / "j"):
        assert isinstance(result.error, OutcomeUnknownError)
        assert (result.link, result.link_id) == (None, None)
        assert (result.error.link_id, result.error.link_url) == ("pl_1", URL)
        assert "cannot be read" in "".join(result.error.__notes__)
    assert states(tmp_path / "j") == {State.CLAIMED: 1}


@pytest.mark.parametrize(
    "change",
    [
        with_fields(orderReference="ORD-2", status=None),
        with_fields(orderReference=None, status=None),
        with_fields(id=None, url=None),
        lambda _: b"<html>",
    ],
    ids=["another", "none", "nothing told", "html"],
)
@pytest.mark.asyncio
async def test_a_look_up_that_does_not_name_the_reference_settles_nothing(
    change: Change, tmp_path: Path
) -> None:
    (result,) = await Shop(lambda _: b"{", change, cut=True).runs(tmp_path / "j", 1)
    assert isinstance(result.error, OutcomeUnknownError)
    assert result.error.link_id is None


@pytest.mark.asyncio
async def test_a_retrieval_that_shows_another_link_takes_nothing_from_the_look_up(tmp_path: Path) -> None:
    shop = Shop(as_it_is, short_form, with_fields(id="pl_2", url="https://pay.example/other"), cut=True)
    (result,) = await shop.runs(tmp_path / "j", 1)
    assert isinstance(result.error, UnreadableResponseError)
    assert (result.error.outcome, result.link_id, result.url) == (Outcome.DONE, "pl_1", None)


# -------------------------------------------------------------------------- a link with another amount


@pytest.mark.parametrize("cut", [False, True], ids=["shown", "cut"])
@pytest.mark.parametrize(
    "change", [with_fields(amount=150), with_fields(amount=150, status=None)], ids=["", "unread"]
)
@pytest.mark.asyncio
async def test_a_conflict_after_a_create_in_doubt_may_be_its_own_link(
    change: Change, cut: bool, tmp_path: Path
) -> None:
    shop = Shop(with_fields(amount=150) if not cut else lambda _: b"{", change, cut=cut)
    for result in await shop.runs(tmp_path / "j", 2):
        assert isinstance(result.error, OrderReferenceConflictError)
        assert result.error.outcome is Outcome.UNKNOWN
        assert (result.error.link_id, result.error.link_url) == ("pl_1", URL)
        assert "pl_1 with amount 150 instead of 100" in str(result.error)
        # It is not known to be the row's.
        assert (result.link_id, result.url) == (None, None)
    assert states(tmp_path / "j") == {State.CLAIMED: 1}


# ---------------------------------------------------------------------------------- the other ways to it


def test_the_sync_facade_tells_the_link_too() -> None:
    async def outcomes() -> list[tuple[Any, ...]]:
        told: list[tuple[Any, ...]] = []
        for change in (with_fields(amount=-100), with_fields(amount=150), with_fields(id=LUHN, url="")):
            async with serving_script(Shop(change).script) as server:
                told.append(await asyncio.to_thread(create, server.url))
        return told

    def create(url: str) -> tuple[Any, ...]:
        with PlexyPay(KEY, base_url=url, retry=SHORT, timeout=5) as plexy:
            with pytest.raises((UnreadableResponseError, OrderReferenceConflictError)) as caught:
                plexy.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")
            return type(caught.value), caught.value.outcome, caught.value.link_id, caught.value.link_url

    assert asyncio.run(outcomes()) == [
        (UnreadableResponseError, Outcome.DONE, "pl_1", URL),
        (OrderReferenceConflictError, Outcome.UNKNOWN, "pl_1", URL),
        (UnreadableResponseError, Outcome.DONE, LUHN, None),
    ]


@pytest.mark.asyncio
async def test_a_new_key_is_proved_by_a_link_that_cannot_be_read_as_a_whole(tmp_path: Path) -> None:
    shop = Shop(with_fields(status=None))
    await shop.runs(tmp_path / "j", 1)
    async with serving_script(shop.script) as server:
        # The journal belongs to the first server's address.
        with Journal(tmp_path / "j") as journal:
            journal.open()
            journal._open.execute("UPDATE about SET value = ? WHERE name = 'base_url'", (server.url,))
        async with AsyncPlexyPay("another-key", base_url=server.url, retry=SHORT) as plexy:
            rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference="ORD-1")]
            (result,) = [row async for row in plexy.payment_links.create_many(rows, journal=tmp_path / "j")]
    assert (result.link_id, result.url) == ("pl_1", URL)
    assert shop.script.count(f"POST {LINKS}") == 1
