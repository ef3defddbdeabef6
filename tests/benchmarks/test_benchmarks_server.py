"""The benchmarks' server: listings, a capacity and a fault rate, as the API would answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import certificates
from benchmarks.server import Behaviour, Traffic, served
from plexypay_async import AsyncPlexyPay, RetryPolicy, ServiceUnavailableError
from tests.needs import needs

ONCE = RetryPolicy(max_attempts=1)


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


@contextlib.contextmanager
def opened(**behaviour: Any) -> Iterator[str]:
    with served(**behaviour) as url:
        yield url


async def create(url: str, count: int, *, at_once: bool = False) -> list[object]:
    async with AsyncPlexyPay("key", base_url=url, retry=ONCE) as plexy:
        calls = [plexy.payment_links.create(amount=1, currency="KZT") for _ in range(count)]
        if at_once:
            return list(await asyncio.gather(*calls, return_exceptions=True))
        return [(await asyncio.gather(call, return_exceptions=True))[0] for call in calls]


def refused(results: list[object]) -> list[int]:
    assert all(
        isinstance(result, ServiceUnavailableError) or getattr(result, "status", None) == "active"
        for result in results
    )
    return [at for at, result in enumerate(results) if isinstance(result, ServiceUnavailableError)]


def test_a_listing_has_as_many_items_as_told_each_once() -> None:
    async def read(url: str) -> list[str]:
        async with AsyncPlexyPay("key", base_url=url) as plexy:
            return [link.id async for link in plexy.payment_links.list(size=100)]

    with opened(total=1_050) as url:
        ids = asyncio.run(read(url))
        last, beyond = (ask(f"{url}/v1/payment-links?page={page}&size=100") for page in (11, 12))

    assert len(ids) == len(set(ids)) == 1_050
    assert (len(last["data"]), last["page"], last["size"], last["total"]) == (50, 11, 100, 1_050)
    assert beyond["data"] == []


def test_what_is_above_the_capacity_is_refused_with_code_1() -> None:
    with opened(latency=0.5, capacity=3) as url:
        results = asyncio.run(create(url, 10, at_once=True))

    assert len(refused(results)) == 7


def test_places_are_free_again_after_an_answer() -> None:
    with opened(latency=0.01, capacity=1) as url:
        results = asyncio.run(create(url, 5))

    assert refused(results) == []


def test_a_capacity_without_a_latency_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity: needs a latency"), served(capacity=1):
        pass


def test_faults_are_as_many_as_told_and_evenly_spread() -> None:
    with opened(fault_rate=0.2) as url:
        results = asyncio.run(create(url, 20))

    assert refused(results) == [4, 9, 14, 19]


def test_an_answer_takes_the_latency() -> None:
    with opened(latency=0.3) as url:
        began = time.monotonic()
        ask(f"{url}/v1/payment-links/pl_1")
        taken = time.monotonic() - began

    assert taken >= 0.3


def test_requests_are_counted() -> None:
    with opened() as url:
        asyncio.run(create(url, 3))
        ask(f"{url}/v1/payment-links?page=1&size=2")

        assert ask(f"{url}/_sandbox/requests") == ask(f"{url}/_sandbox/requests") == {"total": 4}


def test_an_unknown_path_is_answered_with_code_4() -> None:
    with opened() as url, pytest.raises(urllib.error.HTTPError) as caught:
        ask(f"{url}/v1/nothing")

    assert caught.value.code == 404
    assert json.loads(caught.value.read())["code"] == 4
    caught.value.close()


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.2])
def test_the_share_of_faults_is_exact(rate: float) -> None:
    traffic = Traffic(Behaviour(fault_rate=rate))

    assert abs(sum(traffic.is_faulty() for _ in range(10_000)) - 10_000 * rate) <= 1


@needs("cryptography")
def test_over_tls_it_speaks_nothing_before_1_3_and_shows_the_certificate_of_its_run() -> None:
    with certificates.made() as files, served(files=files.server) as url:
        trusting = ssl.create_default_context(cafile=str(files.authority))
        with urllib.request.urlopen(f"{url}/v1/payment-links/pl_1", context=trusting, timeout=30) as answer:
            assert json.loads(answer.read())["id"]
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(url, timeout=30)
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(urllib.error.URLError, match=r"EOF|VERSION"):
            urllib.request.urlopen(url, context=trusting, timeout=30)


@needs("cryptography")
def test_a_servers_key_is_for_nobody_elses_eyes() -> None:
    with certificates.made() as files:
        assert stat.S_IMODE(files.server.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" in files.server.read_bytes()
    assert not files.server.exists()
