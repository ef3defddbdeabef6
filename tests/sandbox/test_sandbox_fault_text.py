"""How a fault is written, as text and as JSON, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from plexypay_async.sandbox import Cut, Fault, Faults, ForeignBody, Misdelivery, Work

WRITTEN = [
    ("code=1,rate=0.05", Fault(code=1, rate=0.05)),
    ("code=2,work=random", Fault(code=2, work=Work.RANDOM)),
    ("latency=0.2", Fault(latency=0.2)),
    ("cut=after,rate=0.05,times=3", Fault(cut=Cut.AFTER, rate=0.05, times=3)),
    ("hang=true,operation=payment_links.create", Fault(hang=True, operation="payment_links.create")),
    ("status=429,retry_after=3", Fault(status=429, retry_after="3")),
    ("capacity=50,latency=0.05", Fault(capacity=50, latency=0.05)),
    ("status=408,work=after,body=html", Fault(status=408, body=ForeignBody.HTML, work=Work.AFTER)),
    ("status=200,body=code", Fault(status=200, body=ForeignBody.CODE)),
    ("cut=late,latency=3.0", Fault(cut=Cut.LATE, latency=3)),
    ("delivery=twice,rate=0.1", Fault(delivery=Misdelivery.TWICE, rate=0.1)),
    ("delivery=late,latency=90.0,times=2", Fault(delivery=Misdelivery.LATE, latency=90, times=2)),
    ("decline=402,operation=direct_payments.*", Fault(decline=402, operation="direct_payments.*")),
    ("delivery=reordered", Fault(delivery=Misdelivery.REORDERED)),
    ("delivery=never,event=transaction.*", Fault(delivery=Misdelivery.NEVER, event="transaction.*")),
    (
        "code=1,retry_after=Wed, 21 Oct 2015 07:28:00 GMT,rate=0.5",
        Fault(code=1, retry_after="Wed, 21 Oct 2015 07:28:00 GMT", rate=0.5),
    ),
]


@pytest.mark.parametrize(("text", "fault"), WRITTEN)
def test_text_and_json_say_the_same(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault
    assert Fault.parse(str(fault)) == fault
    assert Fault.from_json(fault.to_json()) == fault


def test_spaces_do_not_matter() -> None:
    assert Fault.parse(" code = 1 , rate=0.5 ") == Fault(code=1, rate=0.5)


def test_strings_do_for_members_and_numbers_for_headers() -> None:
    assert Fault(cut=Cut("body")) == Fault.parse("cut=body")
    assert Fault.from_json({"code": 1, "retry_after": 3}).retry_after == "3"
    assert Fault.from_json({"code": 1, "rate": None}) == Fault(code=1)


def test_a_fault_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Fault(code=1).code = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ("", "fault", "key=value"),
        ("code", "fault", "key=value"),
        ("code=", "fault", "key=value"),
        ('"code=1,rate=0.05"', "fault", "plain text without quotes, such as code=1,rate=0.05, got"),
        ("'code=1'", "fault", "plain text without quotes"),
        ('["code=1"]', "fault", "plain text without quotes"),
        ('{"code": 1}', "fault", "on the admin path a JSON object"),
        ("code=1,", "code", "a whole number"),
        ("code=6", "code", "from 1 to 5"),
        ("code=one", "code", "a whole number"),
        ("codes=1", "codes", "code, status, cut"),
        ("code=1,code=2", "code", "twice"),
        ("status=200", "status", "from 300 to 599"),
        ("latency=-1", "latency", "from 0 to 3600"),
        ("latency=nan", "latency", "from 0 to 3600"),
        ("latency=soon", "latency", "a number"),
        ("code=1,rate=5", "rate", "from 0 to 1"),
        ("code=1,rate=5%", "rate", "a number"),
        ("code=1,times=0", "times", "from 1"),
        ("cut=middle", "cut", "before, after, body, late"),
        ("cut=late", "latency", "give it with cut=late"),
        ("status=200,body=json", "body", "html, empty, message, code, error, status"),
        ("status=199,body=html", "status", "from 200 to 599"),
        ("body=html", "body", "goes with status"),
        ("code=1,body=html", "body", "goes with status"),
        ("code=1,status=503,body=html", "body", "not with code"),
        ("hang=true,body=html", "body", "goes with status"),
        ("code=1,work=never", "work", "before, after, random"),
        ("hang=yes", "hang", "true or false"),
        ("code=1,operation=create", "operation", "payment_links.create"),
        ("capacity=0", "capacity", "from 1"),
        ("code=1,id=3", "id", "allowed are"),
        ("rate=0.5", "fault", "one of code, status"),
        ("hang=false", "fault", "one of code, status"),
        ("code=1,cut=after", "cut", "not together with code"),
        ("hang=true,cut=after", "hang", "not together with cut"),
        ("capacity=5,hang=true", "capacity", "hang"),
        ("capacity=5,work=after", "work", "never done"),
        ("retry_after=3", "retry_after", "code, status or capacity"),
        ("cut=after,work=after", "work", "code, status or hang"),
        ("code=1,retry_after=прошлый", "retry_after", "ASCII"),
        ("decline=200", "decline", "400 to 599"),
        ("decline=true", "decline", "400 to 599"),
        ("decline=402,status=500", "decline", "not together with code or status"),
        ("decline=402,work=after", "work", "code, status or hang"),
        ("delivery=thrice", "delivery", "twice, late, reordered, never"),
        ("delivery=twice,event=charged", "event", "transaction.charged"),
        ("delivery=twice,code=1", "delivery", "not together with code"),
        ("delivery=twice,hang=true", "delivery", "not together with hang"),
        ("delivery=twice,capacity=3", "capacity", "delivery"),
        ("delivery=twice,operation=payment_links.create", "operation", "by its event"),
        ("delivery=twice,work=after", "work", "code, status or hang"),
        ("delivery=twice,latency=3", "latency", "delivery=late"),
        ("delivery=late", "latency", "how many seconds late"),
        ("code=1,event=transaction.charged", "event", "by its operation"),
    ],
)
def test_what_is_no_fault_is_refused_by_name(text: str, named: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: .*{re.escape(allowed)}"):
        Fault.parse(text)


@pytest.mark.parametrize(
    "document",
    [
        {"code": "1"},
        {"code": True},
        {"code": 1.0},
        {"code": 1, "rate": "0.5"},
        {"hang": 1},
        {"cut": 1},
        {"code": 1, "retry_after": [1]},
        {"code": 1, "retry_after": "a\r\nSet-Cookie: b"},
        {"code": 1, "operation": 7},
        {"nothing": 1},
    ],
)
def test_json_is_read_strictly(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=": "):
        Fault.from_json(document)


def test_the_set_of_faults() -> None:
    faults = Faults(seed=1)
    first, second = faults.add("code=1"), faults.add(Fault(latency=0.1))
    assert list(faults) == [Fault(code=1), Fault(latency=0.1)]
    assert len({first.id, second.id}) == 2
    faults.remove(first.id)
    assert list(faults) == [second]
    with pytest.raises(KeyError):
        faults.remove(first.id)
    with pytest.raises(ValueError, match="code"):
        faults.add("code=9")
    faults.clear()
    assert list(faults) == []
    assert len(faults) == 0
    again = faults.add(second)
    assert again.id not in (first.id, second.id)
