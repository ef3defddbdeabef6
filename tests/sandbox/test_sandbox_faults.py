"""Misbehaviour on demand, as a client sees it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from plexypay_async._version import SANDBOX_HEADER
from plexypay_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.asyncio

LINK = {"amount": 2_200_000, "currency": "KZT"}
LINKS = "/v1/payment-links"


@pytest.mark.parametrize("code", [1, 2])
async def test_a_published_error_before_the_work(
    ask: Any, sandbox: Sandbox, example: Callable[[str], Any], code: int
) -> None:
    fault = sandbox.faults.add(Fault(code=code))
    status, body, headers = await ask("POST", LINKS, LINK)
    assert status == {1: 503, 2: 500}[code]
    assert body.keys() == example("error.json").keys()
    assert body["code"] == code
    assert code != 1 or body == example("error.json")
    assert headers["X-Sandbox-Fault"] == str(fault.id)
    assert sandbox.payment_links() == []


async def test_an_error_after_the_work(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=2,work=after")
    assert (await ask("POST", LINKS, LINK)).status == 500
    assert len(sandbox.payment_links()) == 1


async def test_an_error_at_random_before_or_after_the_work(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=2,work=random")
    for _ in range(40):
        assert (await ask("POST", LINKS, LINK)).status == 500
    assert 5 < len(sandbox.payment_links()) < 35


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("status=429", 429, 1),
        ("status=503", 503, 1),
        ("status=500", 500, 2),
        ("status=502", 502, 2),
        ("status=400", 400, 3),
        ("status=404", 404, 4),
        ("status=409", 409, 5),
        ("status=422", 422, 5),
        ("status=401", 401, 3),
        ("code=1,status=500", 500, 1),
        ("code=5", 422, 5),
    ],
)
async def test_any_status(ask: Any, sandbox: Sandbox, text: str, status: int, code: int) -> None:
    sandbox.faults.add(text)
    reply = await ask("GET", LINKS)
    assert (reply.status, reply.body["code"]) == (status, code)


@pytest.mark.parametrize("value", ["3", "0.5", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_retry_after(ask: Any, sandbox: Sandbox, value: str) -> None:
    sandbox.faults.add(f"status=429,retry_after={value},times=1")
    reply = await ask("GET", LINKS)
    assert (reply.status, reply.headers["Retry-After"]) == (429, value)
    reply = await ask("GET", LINKS)
    assert (reply.status, reply.headers.get("Retry-After")) == (200, None)


@pytest.mark.parametrize(("cut", "made"), [("before", 0), ("after", 1)])
async def test_a_connection_cut_without_an_answer(ask: Any, sandbox: Sandbox, cut: str, made: int) -> None:
    sandbox.faults.add(f"cut={cut},times=1")
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask("POST", LINKS, LINK)
    assert len(sandbox.payment_links()) == made
    assert (await ask("POST", LINKS, LINK)).status == 201


async def test_an_answer_cut_in_its_body(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    sandbox.faults.add("cut=body")
    headers = {"Authorization": sandbox.api_key}
    async with session.post(sandbox.base_url + LINKS, json=LINK, headers=headers) as response:
        assert response.status == 201
        assert response.content_length is not None
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    (link,) = sandbox.payment_links()

    # The same seen without an HTTP client: all headers, part of the body, and the end of the stream.
    host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = (
        f"GET {LINKS}/{link['id']} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {sandbox.api_key}\r\n\r\n"
    )
    writer.write(request.encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 200 ")
    (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    assert 0 < len(body) < length
    assert body.startswith(b"{")


async def test_latency_adds_up_and_does_not_hold_up_others(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("latency=0.06")
    sandbox.faults.add("latency=0.04,code=1")
    began = asyncio.get_running_loop().time()
    replies = await asyncio.gather(*(ask("GET", LINKS) for _ in range(20)))
    took = asyncio.get_running_loop().time() - began
    assert {reply.status for reply in replies} == {503}
    assert 0.1 <= took < 1


async def test_a_hanging_request_never_answers(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("hang=true,times=1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask("POST", LINKS, LINK), 0.1)
    assert sandbox.payment_links() == []
    sandbox.faults.add("hang=true,work=after,times=1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask("POST", LINKS, LINK), 0.1)
    assert len(sandbox.payment_links()) == 1
    assert (await ask("GET", LINKS)).status == 200


@pytest.mark.parametrize("text", ["hang=true", "latency=30", "latency=30,cut=after"])
async def test_the_stop_does_not_wait_for_what_hangs(session: aiohttp.ClientSession, text: str) -> None:
    sandbox = Sandbox(faults=[text])
    await sandbox.start()
    headers = {"Authorization": sandbox.api_key}
    requests = [
        asyncio.create_task(session.get(sandbox.base_url + LINKS, headers=headers)) for _ in range(20)
    ]
    while sandbox.requests.count() < 20:
        await asyncio.sleep(0.001)
    began = asyncio.get_running_loop().time()
    await sandbox.stop()
    assert asyncio.get_running_loop().time() - began < 5
    for outcome in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(outcome, aiohttp.ClientConnectionError)


async def test_times_and_then_it_is_spent(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1,times=2")
    assert [(await ask("GET", LINKS)).status for _ in range(4)] == [503, 503, 200, 200]


async def test_the_first_that_strikes_wins_and_the_other_is_not_spent(ask: Any, sandbox: Sandbox) -> None:
    first = sandbox.faults.add("code=1,times=1")
    second = sandbox.faults.add("code=2,times=1")
    assert [(await ask("GET", LINKS)).body.get("code") for _ in range(3)] == [1, 2, None]
    assert [sandbox.faults.struck(first.id), sandbox.faults.struck(second.id)] == [1, 1]


async def test_only_the_operation_that_is_named(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1,operation=payment_links.create")
    assert (await ask("POST", LINKS, LINK)).status == 503
    assert (await ask("GET", LINKS)).status == 200
    sandbox.faults.clear()
    sandbox.faults.add("code=2,operation=payment_links.*")
    assert (await ask("GET", LINKS)).status == 500
    assert (await ask("GET", "/v1/nothing")).status == 404
    sandbox.faults.clear()
    sandbox.faults.add("code=2")
    assert (await ask("GET", "/v1/nothing")).status == 500


async def test_the_rate_is_drawn_from_the_seed(session: aiohttp.ClientSession) -> None:
    async def statuses(seed: int) -> list[int]:
        async with Sandbox(faults=["code=1,rate=0.3"], seed=seed) as sandbox:
            headers = {"Authorization": sandbox.api_key}
            seen: list[int] = []
            for _ in range(100):
                async with session.get(sandbox.base_url + LINKS, headers=headers) as response:
                    seen.append(response.status)
            return seen

    first = await statuses(7)
    assert await statuses(7) == first
    assert await statuses(8) != first
    assert 15 < Counter(first)[503] < 45


async def test_above_its_capacity_it_answers_code_1(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("capacity=5,latency=0.1")
    replies = await asyncio.gather(*(ask("POST", LINKS, LINK) for _ in range(12)))
    assert Counter(reply.status for reply in replies) == {201: 5, 503: 7}
    assert len(sandbox.payment_links()) == 5
    replies = await asyncio.gather(*(ask("POST", LINKS, LINK) for _ in range(5)))
    assert {reply.status for reply in replies} == {201}


async def test_a_capacity_with_an_error_of_its_own(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("capacity=1,latency=0.1,status=429,retry_after=2")
    replies = await asyncio.gather(*(ask("GET", LINKS) for _ in range(2)))
    assert sorted((reply.status, reply.headers.get("Retry-After")) for reply in replies) == [
        (200, None),
        (429, "2"),
    ]


async def test_a_request_whose_client_went_gives_its_room_back(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("capacity=1")
    sandbox.faults.add("hang=true,times=1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask("GET", LINKS), 0.05)
    async with asyncio.timeout(5):
        while (await ask("GET", LINKS)).status != 200:
            await asyncio.sleep(0.005)


async def test_work_goes_on_when_its_client_goes(ask: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("latency=0.1,times=1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask("POST", LINKS, LINK), 0.03)
    async with asyncio.timeout(5):
        while not sandbox.payment_links():
            await asyncio.sleep(0.005)


async def test_every_cut_strikes_a_crowd_without_a_trace(
    ask: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("cut=before,rate=0.3", "cut=after,rate=0.3", "cut=body,rate=0.3", "code=2,rate=0.3"):
        sandbox.faults.add(text)

    async def create(number: int) -> int | type[Exception]:
        try:
            reply = await ask("POST", LINKS, LINK | {"orderReference": f"A-{number}"})
        except aiohttp.ClientError as error:
            return type(error)
        return int(reply.status)

    outcomes = Counter(await asyncio.gather(*(create(number) for number in range(300))))
    assert outcomes.keys() >= {201, 500, aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError}
    made = len(sandbox.payment_links())
    assert outcomes[201] + outcomes[aiohttp.ClientPayloadError] <= made < 300
    # asyncio's debug mode also tells of slow steps, which say nothing but that the machine is busy.
    assert [record for record in caplog.records if not record.getMessage().startswith("Executing")] == []


@pytest.mark.parametrize(
    ("text", "status", "content_type", "body"),
    [
        ("status=408,body=html", 408, "text/html", b"<h1>408 Request Timeout</h1>"),
        ("status=302,body=empty", 302, "text/html", b""),
        ("status=503,body=message", 503, "application/json", b'{"message":"busy"}'),
        ("status=200,body=html", 200, "text/html", b"<h1>200 OK</h1>"),
        ("status=204,body=empty", 204, None, b""),
        ("status=200,body=empty", 200, "text/html", b""),
        ("status=200,body=code", 200, "application/json", b'{"code":1,"message":"busy"}'),
        ("status=200,body=error", 200, "application/json", b'{"error":"busy"}'),
        ("status=201,body=status", 201, "application/json", b'{"status":"error"}'),
        ("status=299,body=html", 299, "text/html", b"<h1>299 Unknown</h1>"),
    ],
)
@pytest.mark.parametrize("work", ["before", "after"])
async def test_an_answer_of_something_in_between(
    sandbox: Sandbox,
    session: aiohttp.ClientSession,
    text: str,
    status: int,
    content_type: str | None,
    body: bytes,
    work: str,
) -> None:
    fault = sandbox.faults.add(f"{text},work={work},retry_after=3")
    headers = {"Authorization": sandbox.api_key}
    async with session.post(
        sandbox.base_url + LINKS, json=LINK, headers=headers, allow_redirects=False
    ) as response:
        got = await response.read()
        assert (response.status, response.headers["X-Sandbox-Fault"]) == (status, str(fault.id))
        assert response.headers["Retry-After"] == "3"
        assert content_type is None or response.content_type == content_type
        assert got == body if body[:1] != b"<" else body in got
    assert len(sandbox.payment_links()) == (1 if work == "after" else 0)


async def test_a_request_that_is_late(ask: Any, sandbox: Sandbox) -> None:
    loop = asyncio.get_running_loop()
    sandbox.faults.add("cut=late,latency=0.3,times=1")
    began = loop.time()
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask("POST", LINKS, LINK)
    assert loop.time() - began < 0.2
    assert sandbox.requests.count("payment_links.create") == 1
    assert (await ask("GET", LINKS)).body["data"] == []
    async with asyncio.timeout(10):
        while not sandbox.payment_links():
            await asyncio.sleep(0.005)
    assert loop.time() - began >= 0.3
    assert (await ask("POST", LINKS, LINK)).status == 201


async def test_every_answer_says_that_it_is_a_sandbox(ask: Any, sandbox: Sandbox) -> None:
    for method, path in (("GET", LINKS), ("POST", LINKS), ("GET", "/nothing"), ("GET", "/_sandbox")):
        assert (await ask(method, path)).headers[SANDBOX_HEADER] == "1"
    for fault in ("code=2,times=1", "status=429,times=1"):
        sandbox.faults.add(fault)
        assert (await ask("GET", LINKS)).headers[SANDBOX_HEADER] == "1"
