"""The sandbox's own paths, as a program in any language uses them: no key."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plexypay_async.sandbox import ArrivedRequest, Fault, Sandbox, Traffic

pytestmark = pytest.mark.asyncio

LINK = {"amount": 2_200_000, "currency": "KZT"}
LINKS = "/v1/payment-links"


GUIDE = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.mark.parametrize("path", ["/_sandbox", "/_sandbox/"])
async def test_the_paths_are_listed(ask: Any, sandbox: Sandbox, path: str) -> None:
    status, body, _ = await ask("GET", path, key=None)
    assert status == 200
    assert {"method": "GET", "path": "/_sandbox", "does": "this list"} in body["data"]
    for call in body["data"]:
        served = await ask(call["method"], call["path"].replace("{id}", "0"), key=None)
        assert "no such path" not in served.body.get("message", "")
    assert sandbox.requests.count() == 0


async def test_the_guide_has_every_path(ask: Any) -> None:
    listed = {f"{call['method']} {call['path']}" for call in (await ask("GET", "/_sandbox")).body["data"]}
    guide = GUIDE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z]+ /_sandbox[^ `]*)`", guide, re.MULTILINE)) == listed


async def test_faults_as_text_and_as_json(ask: Any, sandbox: Sandbox) -> None:
    status, added, _ = await ask("POST", "/_sandbox/faults", b"code=1,times=1", key=None)
    assert status == 201
    assert added == {"id": added["id"], "fault": "code=1,times=1", "code": 1, "times": 1, "struck": 0}
    status, second, _ = await ask("POST", "/_sandbox/faults", {"cut": "after", "rate": 0.5}, key=None)
    assert (status, second["fault"]) == (201, "cut=after,rate=0.5")
    assert list(sandbox.faults) == [Fault(code=1, times=1), Fault.parse("cut=after,rate=0.5")]
    assert (await ask("GET", LINKS)).status == 503
    listed = (await ask("GET", "/_sandbox/faults", key=None)).body["data"]
    assert listed == [added | {"struck": 1}, second]
    left = await ask("DELETE", f"/_sandbox/faults/{added['id']}", key=None)
    assert (left.status, left.body) == (200, {"data": [second]})
    assert (await ask("DELETE", "/_sandbox/faults", key=None)).body == {"data": []}
    assert len(sandbox.faults) == 0


@pytest.mark.parametrize("body", [b"", b"code=9", b"\xff", b"{", {"code": 9}, {"codes": 1}])
async def test_a_bad_fault(ask: Any, sandbox: Sandbox, body: Any) -> None:
    status, answer, _ = await ask("POST", "/_sandbox/faults", body)
    assert (status, answer["code"], answer["source"]) == (400, 3, "sandbox")
    assert len(sandbox.faults) == 0


async def test_a_fault_in_quotes_is_told_to_be_plain_text(ask: Any, sandbox: Sandbox) -> None:
    status, answer, _ = await ask("POST", "/_sandbox/faults", b'"code=1,rate=0.05"')
    assert status == 400
    assert answer["message"].startswith("fault: expected plain text without quotes, such as code=1,rate=0.05")
    assert (await ask("POST", "/_sandbox/faults", b' {"code": 1}')).status == 201


@pytest.mark.parametrize("identifier", ["7", "x"])
async def test_a_fault_that_is_not_there(ask: Any, identifier: str) -> None:
    assert (await ask("DELETE", f"/_sandbox/faults/{identifier}")).status == 404


async def test_requests_are_counted(ask: Any, sandbox: Sandbox) -> None:
    for _ in range(3):
        await ask("POST", LINKS, LINK)
    await ask("GET", f"{LINKS}?page=1&status=active")
    await ask("PUT", LINKS)
    await ask("GET", "/_sandbox/clock")
    assert sandbox.requests.count("payment_links.create") == 3
    assert sandbox.requests.count(method="GET") == 1
    assert sandbox.requests.count() == len(list(sandbox.requests)) == 5
    last = list(sandbox.requests)[3]
    assert (last.method, last.path) == ("GET", f"{LINKS}?page=1&status=active")
    assert (last.operation, last.headers["authorization"]) == ("payment_links.list", sandbox.api_key)
    assert sandbox.api_key not in repr(last)
    body = (await ask("GET", "/_sandbox/requests", key=None)).body
    assert body["total"] == 5
    assert {"method": "POST", "operation": "payment_links.create", "count": 3} in body["data"]
    assert {"method": "PUT", "operation": None, "count": 1} in body["data"]


async def test_the_record_is_bounded_and_the_counts_are_not() -> None:
    traffic = Traffic(kept=3)
    for number in range(5):
        traffic.record(ArrivedRequest("GET", f"/{number}", "payment_links.list", {}))
    assert [request.path for request in traffic] == ["/2", "/3", "/4"]
    assert traffic.count("payment_links.list", method="GET") == 5
    assert traffic.count("payment_links.list", method="POST") == 0


async def test_stored_links_are_shown_whole(ask: Any, sandbox: Sandbox) -> None:
    made = [(await ask("POST", LINKS, LINK | {"metadata": {"n": n}})).body for n in range(3)]
    assert sandbox.payment_links() == made
    body = (await ask("GET", "/_sandbox/payment-links", key=None)).body
    assert body == {"data": made[::-1], "page": 1, "size": 1000, "total": 3}
    body = (await ask("GET", "/_sandbox/payment-links?page=2&size=2", key=None)).body
    assert body["data"] == made[:1]
    for query in ("page=0", "size=x"):
        assert (await ask("GET", f"/_sandbox/payment-links?{query}")).status == 400


async def test_paying(ask: Any) -> None:
    link = (await ask("POST", LINKS, LINK)).body
    status, paid, _ = await ask("POST", f"/_sandbox/payment-links/{link['id']}/pay", key=None)
    assert (status, paid["status"]) == (200, "paid")
    assert (await ask("GET", f"{LINKS}/{link['id']}")).body == paid


async def test_the_clock(ask: Any) -> None:
    before = datetime.fromisoformat((await ask("GET", "/_sandbox/clock", key=None)).body["now"])
    reply = await ask("POST", "/_sandbox/clock", {"advance_seconds": 3600}, key=None)
    after = datetime.fromisoformat(reply.body["now"])
    assert 3600 <= (after - before).total_seconds() < 3660


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        ({}, 400),
        ({"advance_seconds": "1"}, 400),
        ({"advance_seconds": True}, 400),
        ({"advance_seconds": -1}, 422),
        ({"advance_seconds": 1e30}, 422),
        ({"advance_seconds": 1e12}, 422),
    ],
)
async def test_a_clock_that_cannot_be_moved(ask: Any, body: Any, status: int) -> None:
    assert (await ask("POST", "/_sandbox/clock", body)).status == status


async def test_reset(ask: Any, sandbox: Sandbox) -> None:
    await ask("POST", LINKS, LINK | {"orderReference": "A-1"})
    sandbox.faults.add("code=1")
    sandbox.clock.advance(hours=5)
    assert (await ask("POST", "/_sandbox/reset", key=None)).status == 200
    assert sandbox.payment_links() == []
    assert (len(sandbox.faults), sandbox.requests.count()) == (0, 0)
    link = (await ask("POST", LINKS, LINK | {"orderReference": "A-1"})).body
    now = datetime.fromisoformat((await ask("GET", "/_sandbox/clock")).body["now"])
    assert abs((datetime.fromisoformat(link["createdAt"]) - now).total_seconds()) < 60
    assert [item["id"] for item in (await ask("GET", LINKS)).body["data"]] == [link["id"]]


async def test_what_is_not_there(ask: Any, sandbox: Sandbox) -> None:
    assert (await ask("GET", "/_sandbox/nothing", key=None)).status == 404
    assert (await ask("PUT", "/_sandbox/faults", key=None)).status == 405
    assert sandbox.requests.count() == 0
