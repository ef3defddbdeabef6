"""A job whose rows none can survive ends after a few of them; the others are told as not sent."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    BulkResult,
    ConfigurationError,
    ConnectError,
    Journal,
    Outcome,
    PermissionDeniedError,
    PlexyPayError,
)
from plexypay_async.bulk import PartitionSettings, create_partition
from plexypay_async.bulk.journal_format import State
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .ledger_server import ledger
from .rows import CREATE, QUICK, Source, a_client, row, rows, run, run_to_error
from .sandbox_thread import SandboxThread

FEW = 25
"""As many as the adaptive pace sends in its first round trips; there are a hundred workers."""


def sent(results: list[BulkResult]) -> list[BulkResult]:
    """Return the results of the rows that were sent; the others say that they were not."""
    found: list[BulkResult] = []
    for result in results:
        error = result.error
        if type(error) is PlexyPayError:
            assert error.outcome is Outcome.NOT_SENT
            assert str(error).startswith(f"row {result.index}: not sent: the job ended before")
            assert error.order_reference == result.request.order_reference
        else:
            found.append(result)
    return found


@pytest.mark.asyncio
@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("concurrency", [None, 1, 5])
async def test_a_wrong_key_ends_the_job(
    journal: bool, ordered: bool, concurrency: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "journal" if journal else None
    source = Source(5000)
    async with ledger() as server, a_client(server) as plexy:
        server.keys = {"right"}
        results, raised = await run_to_error(
            plexy, source, journal=path, ordered=ordered, concurrency=concurrency
        )
        assert isinstance(raised, AuthenticationError)
        assert "3 rows in a row failed like this" in raised.__notes__[0]
        assert sorted(result.index for result in results) == list(range(source.read))
        assert 3 <= len(sent(results)) <= FEW
        assert source.closed
        assert source.read < 300
        if path is None:
            return
        with Journal(path) as kept:
            kept.open()
            assert set(kept.counts()) == {State.FAILED}
        # Nothing was created with it, so the right key takes the journal over.
        plexy = plexy.with_options(api_key="right")
        again = await run(plexy, rows(100), journal=path)
        assert [result.error for result in again] == [None] * 100


@pytest.mark.asyncio
@pytest.mark.parametrize("slow", [False, True])
async def test_a_key_that_is_rotated_in_mid_job_does_not_end_it(slow: bool) -> None:
    async with ledger() as server:
        server.keys = {"first"}
        calls = 0

        def key() -> str:
            # It hears of the change a little late.
            nonlocal calls
            if "second" in (server.keys or ()):
                calls += 1
            return "second" if calls > 3 else "first"

        async def rotate(_: str) -> None:
            if server.creates.total() == 20:
                server.keys = {"second"}

        server.before = rotate
        async with a_client(server, api_key=key) as plexy:
            source = Source(300)
            results, raised = await run_to_error(plexy, source.slowly() if slow else source, concurrency=8)

    assert raised is None
    assert len(results) == 300
    failed = [result.error for result in results if result.error is not None]
    assert 3 <= len(failed) <= 8
    assert {type(error) for error in failed} == {AuthenticationError}


@pytest.mark.asyncio
async def test_a_key_that_may_read_and_not_create_ends_the_job_too() -> None:
    async with Sandbox(seed=1) as sandbox, a_client(sandbox) as plexy:
        sandbox.faults.add(f"status=403,operation={CREATE}")
        source = Source(5000)
        results, raised = await run_to_error(plexy, source, concurrency=4)
        assert isinstance(raised, PermissionDeniedError)
        assert len(sent(results)) <= 30
        assert sandbox.requests.count("payment_links.list") == 3


@pytest.mark.asyncio
async def test_refusals_with_other_answers_between_are_the_rows_own() -> None:
    async with Sandbox(seed=1) as sandbox, a_client(sandbox) as plexy:
        sandbox.faults.add(f"status=403,rate=0.4,operation={CREATE}")
        results = await run(plexy, rows(300))
        assert len(sent(results)) == 300
        assert {type(r.error) for r in results if r.error is not None} == {PermissionDeniedError}


@pytest.mark.asyncio
async def test_rows_that_are_refused_by_their_content_never_end_a_job() -> None:
    async with Sandbox(seed=1) as sandbox, a_client(sandbox) as plexy:
        sandbox.faults.add(f"code=4,operation={CREATE}")
        results = await run(plexy, rows(100))
        assert len([result for result in results if result.error is not None]) == 100
        assert sandbox.requests.count("payment_links.list") == 0


@pytest.mark.asyncio
async def test_an_address_that_is_not_the_apis_ends_the_job() -> None:
    async with (
        ledger() as server,
        AsyncPlexyPay("key", base_url=server.base_url + "/elsewhere", retry=QUICK) as plexy,
    ):
        results, raised = await run_to_error(plexy, Source(5000))
    assert isinstance(raised, PlexyPayError)
    assert getattr(raised, "status", None) == 404
    assert len(sent(results)) <= FEW


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.asyncio
@pytest.mark.parametrize("journal", [False, True])
async def test_a_certificate_that_proves_nothing_ends_the_job(
    self_signed: ssl.SSLContext, tmp_path: Path, journal: bool
) -> None:
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed)
    await site.start()
    port = runner.addresses[0][1]
    source = Source(5000)
    try:
        async with AsyncPlexyPay("key", base_url=f"https://127.0.0.1:{port}", retry=QUICK) as plexy:
            results, raised = await run_to_error(
                plexy, source, journal=tmp_path / "journal" if journal else None
            )
    finally:
        await runner.cleanup()
    assert isinstance(raised, ConnectError)
    assert "certificate" in str(raised).lower()
    assert sorted(result.index for result in results) == list(range(source.read))
    assert 3 <= len(sent(results)) <= FEW


@pytest.mark.asyncio
async def test_a_client_that_is_closed_ends_the_job() -> None:
    async with ledger() as server:
        plexy = a_client(server)
        source = Source(5000)

        async def close(_: str) -> None:
            if server.creates.total() == 20:
                await plexy.close()

        server.before = close
        results, raised = await run_to_error(plexy, source)
    assert isinstance(raised, ConfigurationError)
    assert sorted(result.index for result in results) == list(range(source.read))
    assert source.read < 300


@pytest.mark.asyncio
async def test_a_function_for_the_key_that_always_raises_ends_the_job() -> None:
    calls = 0

    def key() -> str:
        nonlocal calls
        calls += 1
        if calls > 10:
            raise LookupError("the vault is sealed")
        return "key"

    source = Source(5000)
    async with ledger() as server, a_client(server, api_key=key) as plexy:
        results, raised = await run_to_error(plexy, source)
        assert raised is not None
        assert sorted(result.index for result in results) == list(range(source.read))
        assert source.read < 300
        assert len(server.links) == sum(result.link is not None for result in results) == 10


# ----------------------------------------------------------------------------------- at the other doors


@pytest.fixture(scope="module")
def served() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


def test_the_sync_facade_ends_it_too(served: SandboxThread) -> None:
    source = Source(5000)
    results: list[BulkResult] = []

    def consume(plexy: PlexyPay) -> None:
        for result in plexy.payment_links.create_many(source):
            results.append(result)  # noqa: PERF402 - what came before the error counts

    with PlexyPay("wrong", base_url=served.base_url) as plexy, pytest.raises(AuthenticationError):
        consume(plexy)
    assert sorted(result.index for result in results) == list(range(source.read))
    assert 3 <= len(sent(results)) <= FEW


@pytest.mark.parametrize("assume_unique", [False, True])
def test_a_partition_has_a_record_for_each_of_its_rows(served: SandboxThread, assume_unique: bool) -> None:
    served.reset()
    given: list[Any] = [row(number) for number in range(1000)]
    given[700] = {"amount": 0}
    settings = PartitionSettings(api_key="wrong", base_url=served.base_url, timeout=10, retry=QUICK)

    records = create_partition(given, settings, assume_unique=assume_unique)

    assert [record["index"] for record in records] == list(range(1000))
    not_sent = [record for record in records if "not sent" in (record["error_message"] or "")]
    assert {record["outcome"] for record in not_sent} == {"failed"}
    assert records[700]["outcome"] == "invalid"
    assert 1000 - FEW - 1 <= len(not_sent) <= 1000 - 3 - 1
    assert served.links() == []
