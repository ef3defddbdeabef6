"""What reached the server, where aiohttp or a refused connection could make it look otherwise."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    NotFoundError,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    Replay,
    RetryPolicy,
    UnprocessableError,
)
from tests.refusing_port import refusing_port

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    DROP,
    KEY,
    LINKS,
    SHORT,
    TAKEN,
    Answer,
    Script,
    Seen,
    link,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
FIND = f"GET {BY_REFERENCE}/ORD-1"
ORDER: dict[str, Any] = {"amount": 2_200_000, "currency": "KZT", "order_reference": "ORD-1"}


@pytest.mark.parametrize("replay", [Replay.MONEY, Replay.CREATE], ids=lambda replay: replay.value)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_what_must_not_be_repeated_is_sent_once_by_aiohttp_too(method: str, replay: Replay) -> None:
    route = f"{method} /v1/anything"
    async with scripted({route: DROP}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.request(method, "/v1/anything", replay=replay)
        assert script.counts == {route: 1}
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_delete_that_arrived_is_not_called_unsent_when_the_second_connection_is_refused() -> None:
    async def gone(server: Any) -> None:
        await server.close()

    closing: list[asyncio.Task[None]] = []
    async with serving(Script({})) as server:

        def stop_and_drop(_: Seen) -> Any:
            closing.append(asyncio.get_running_loop().create_task(gone(server)))
            return DROP

        server.script.on("DELETE /v1/anything", stop_and_drop)
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=SHORT, timeout=2) as plexy:
            with pytest.raises(OutcomeUnknownError) as caught:
                await plexy.request("DELETE", "/v1/anything", replay=Replay.SAFE)
        await asyncio.gather(*closing)
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("earlier", [Answer(429, {"message": "slow down"})], ids=["429"])
async def test_a_refusal_after_nothing_was_done_is_raised_as_on_a_first_sending(earlier: Answer) -> None:
    async with scripted({CREATE: [earlier, TAKEN], FIND: Answer(200, link())}) as (plexy, script):
        with pytest.raises(UnprocessableError):
            await plexy.payment_links.create(**ORDER)
        assert script.count(FIND) == 0


async def test_a_refusal_after_a_refused_connection_is_raised_as_on_a_first_sending() -> None:
    policy = RetryPolicy(max_attempts=1000, base=0.002, cap=0.01)
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readline()).decode().split()[0])
        body = b'{"code": 5, "message": "taken"}'
        writer.write(
            b"HTTP/1.1 422 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
        )
        writer.close()

    async def listen_later(port: int) -> asyncio.Server:
        await asyncio.sleep(0.03)
        return await asyncio.start_server(answer, "127.0.0.1", port)

    with refusing_port() as port:
        async with AsyncPlexyPay(KEY, base_url=f"http://127.0.0.1:{port}", retry=policy, timeout=5) as client:
            late = asyncio.create_task(listen_later(port))
            with pytest.raises(UnprocessableError) as caught:
                await client.payment_links.create(**ORDER)
            server = await late
            server.close()
            await server.wait_closed()
    assert caught.value.attempts
    assert seen == ["POST"]


@pytest.mark.parametrize("state", ["cancelled", "expired", "Cancelled"])
async def test_a_dead_link_is_never_taken_for_the_one_asked_for(state: str) -> None:
    routes = {CREATE: [CODE_1, TAKEN], FIND: Answer(200, link(status=state))}
    async with scripted(routes) as (plexy, _):
        with pytest.raises(OrderReferenceConflictError, match=r"already belongs to pl_\w+ with status"):
            await plexy.payment_links.create(**ORDER)


@pytest.mark.parametrize("state", ["cancelled", "expired", "Cancelled"])
@pytest.mark.parametrize("first", [CODE_2, DROP], ids=["code 2", "disconnect"])
async def test_a_dead_link_may_be_what_a_lost_answer_has_made(first: Any, state: str) -> None:
    routes = {CREATE: [first, TAKEN], FIND: Answer(200, link(status=state))}
    async with scripted(routes) as (plexy, _):
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.payment_links.create(**ORDER)
    assert caught.value.__notes__[0].startswith("The order reference is that of pl_")


async def test_a_request_without_a_body_says_nothing_of_its_type() -> None:
    route = f"DELETE {LINKS}/pl_1"
    async with scripted({route: Answer(204), "POST /v1/empty": Answer(200)}) as (plexy, script):
        await plexy.payment_links.cancel("pl_1")
        await plexy.request("POST", "/v1/empty")
        assert [seen.headers.get("content-type") for seen in script.seen] == [None, None]
        await plexy.request("POST", "/v1/empty", json={})
        assert script.seen[-1].headers["content-type"] == "application/json"


async def test_a_look_up_that_may_not_be_made_blames_no_path() -> None:
    async with scripted({CREATE: CODE_2, FIND: Answer(403, {"message": "not yours"})}) as (plexy, _):
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.payment_links.create(**ORDER)
    assert not getattr(caught.value, "__notes__", [])


async def test_a_name_server_that_hangs_keeps_no_program_from_ending() -> None:
    script = """
        import asyncio, socket, sys, time
        real = socket.getaddrinfo
        def slow(host, *args, **kwargs):
            if host == "localhost":
                time.sleep(60)
            return real(host, *args, **kwargs)
        socket.getaddrinfo = slow
        from plexypay_async import AsyncPlexyPay, DeadlineExceededError, Outcome
        async def main():
            async with AsyncPlexyPay("key", base_url="http://localhost:9", timeout=0.3) as plexy:
                try:
                    await plexy.payment_links.create(amount=1, currency="KZT")
                except DeadlineExceededError as error:
                    assert error.outcome is Outcome.NOT_SENT, error.outcome
                    print("cut")
        asyncio.run(main())
    """
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "cut\n", "")


async def test_a_name_that_does_not_exist_is_a_failed_connection() -> None:
    from plexypay_async import ConnectError

    async with AsyncPlexyPay(KEY, base_url="https://nowhere.invalid", retry=SHORT, timeout=2) as plexy:
        with pytest.raises(ConnectError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not isinstance(caught.value, NotFoundError)
