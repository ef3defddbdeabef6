"""Whom a client trusts over TLS, how it proves itself, and what is told of what proves nothing."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    Outcome,
    RetryPolicy,
)
from plexypay_async.bulk import PartitionSettings
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .ways import Authority, Front, api_over_tls

pytestmark = pytest.mark.asyncio

SHORT = RetryPolicy(base=0.001, cap=0.01)
Refund: TypeAlias = Callable[..., Awaitable[Any]]


async def _async(key: str, front: Front, **options: Any) -> Any:
    base_url = f"https://127.0.0.1:{front.port}"
    async with AsyncPlexyPay(key, base_url=base_url, retry=SHORT, **options) as plexy:
        return await plexy.payment_links.create(amount=100, currency="KZT")


async def _sync(key: str, front: Front, **options: Any) -> Any:
    def create() -> Any:
        base_url = f"https://127.0.0.1:{front.port}"
        with PlexyPay(key, base_url=base_url, retry=SHORT, **options) as plexy:
            return plexy.payment_links.create(amount=100, currency="KZT")

    return await asyncio.to_thread(create)


facades = pytest.mark.parametrize("create", [_async, _sync], ids=["async", "sync"])


@facades
@pytest.mark.parametrize("kind", ["path", "text", "context"])
async def test_a_companys_authority_is_trusted_where_it_is_named(
    create: Refund, kind: str, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    given: Any = {
        "path": authority.file,
        "text": str(authority.file),
        "context": ssl.create_default_context(cafile=str(authority.file)),
    }[kind]
    assert (await create(sandbox.api_key, front, ssl=given)).status == "active"
    assert front.connections == 1


@facades
async def test_an_unknown_authority_is_told_with_what_to_do(
    create: Refund, front: Front, sandbox: Sandbox
) -> None:
    with pytest.raises(ConnectError, match=r"name its file \(PEM\) by ssl=, or by --ca-file") as caught:
        await create(sandbox.api_key, front)
    assert caught.value.outcome is Outcome.NOT_SENT
    # Trying again cannot help.
    assert front.connections <= 1
    assert front.heads == []


async def test_an_expired_certificate_is_told_as_the_servers_affair(
    authority: Authority, sandbox: Sandbox
) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    context = authority.server_context("127.0.0.1", not_after=past)
    async with api_over_tls(context, sandbox) as front:
        with pytest.raises(ConnectError, match=r"expired; it is the server's to renew, unless the clock"):
            await _async(sandbox.api_key, front, ssl=authority.file)
    assert front.heads == []


async def test_a_certificate_of_another_host_is_told_as_such(authority: Authority, sandbox: Sandbox) -> None:
    async with api_over_tls(authority.server_context("shop.example"), sandbox) as front:
        with pytest.raises(ConnectError, match=r"it is another server's: look at base_url") as caught:
            await _async(sandbox.api_key, front, ssl=authority.file)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert front.heads == []


async def test_a_foreign_authority_is_not_trusted_beside_the_one_that_is_named(
    authority: Authority, front: Front, sandbox: Sandbox, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    with pytest.raises(ConnectError, match="proves nothing"):
        await _async(sandbox.api_key, front, ssl=other.file)
    assert front.heads == []


@facades
async def test_a_client_proves_itself_by_the_context(
    create: Refund, authority: Authority, sandbox: Sandbox
) -> None:
    async with api_over_tls(authority.server_context("127.0.0.1", asks_for_client=True), sandbox) as front:
        context = ssl.create_default_context(cafile=str(authority.file))
        with pytest.raises(Exception, match=r"TLS|certificate|connection|no answer"):
            await create(sandbox.api_key, front, ssl=context)
        assert front.heads == []
        context.load_cert_chain(*authority.client_files())
        await create(sandbox.api_key, front, ssl=context)
    assert front.client_names == ["till.example"]


@pytest.mark.parametrize("word", [False, True])
async def test_tls_is_not_switched_off_by_a_word(word: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^ssl: TLS cannot be switched off"):
        AsyncPlexyPay("key", ssl=word)
    with pytest.raises(ConfigurationError, match=r"^ssl: TLS cannot be switched off"):
        PlexyPay("key", ssl=word)


async def test_a_context_that_verifies_nothing_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigurationError, match=r"^ssl: the context does not verify"):
        AsyncPlexyPay("key", ssl=context)
    with pytest.raises(ConfigurationError, match=r"^ssl: the context"):
        AsyncPlexyPay("key", ssl=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))


async def test_a_context_that_takes_a_certificate_of_any_host_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    for client in (AsyncPlexyPay, PlexyPay):
        with pytest.raises(ConfigurationError, match=r"^ssl: the context takes a certificate of any host"):
            client("key", ssl=context)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _of_any_host() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


@pytest.mark.parametrize("make", [lambda: False, _unverified, _of_any_host], ids=["off", "none", "any host"])
async def test_a_session_that_takes_anybodys_certificate_is_refused(make: Callable[[], Any]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=make())) as session:
        with pytest.raises(ConfigurationError, match=r"^session: .*connector.* could read the API key"):
            AsyncPlexyPay("key", session=session)


async def test_a_session_that_knows_whom_to_trust_is_taken() -> None:
    for trust in (True, ssl.create_default_context(), aiohttp.Fingerprint(b"0" * 32)):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
            AsyncPlexyPay("key", session=session)


async def test_what_is_no_bundle_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("nothing of the kind")
    cases = {"gone.pem": "cannot read", "not.pem": "holds no certificates", "": "openssl rehash"}
    for name, told in cases.items():
        with pytest.raises(ConfigurationError, match=f"^ssl: .*{told}"):
            AsyncPlexyPay("key", ssl=tmp_path / name if name else tmp_path)
    with pytest.raises(ConfigurationError, match=r"^ssl: expected an ssl.SSLContext or the path"):
        AsyncPlexyPay("key", ssl=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^ssl: the path of the CA bundle is empty"):
        AsyncPlexyPay("key", ssl="")


async def test_a_partitions_settings_take_a_path_alone(authority: Authority) -> None:
    context = ssl.create_default_context()
    with pytest.raises(ConfigurationError, match="does not travel to workers"):
        PartitionSettings(api_key="key", ssl=context)
    PartitionSettings(api_key="key", ssl=authority.file).client()
