"""The commands in a company's network: by its proxy, with its authority, and to a sandbox elsewhere."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path

import pytest

from plexypay_async.sandbox import Sandbox
from tests.docs.blocks import run_by

from .ways import BASE_URL, HOST, PASSWORD, USER, Authority, Front, Proxy, api_over_tls, proxy_to

pytestmark = pytest.mark.asyncio

BY_PROXY, BY_AUTHORITY = run_by(__file__)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency,order_reference\n100,KZT,A\n200,KZT,B\n")
    return path


async def _plexypay(*arguments: object, key: str, **environment: str) -> tuple[int | None, str]:
    """Run the command; return its exit code and what it has told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "plexypay_async.cli", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PLEXYPAY_API_KEY": key, **environment},
    )
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, told.decode()


@pytest.mark.parametrize("how", ["option", "environment"])
async def test_a_file_of_invoices_goes_through_the_proxy(
    how: str, orders: Path, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port, asks=True) as proxy:
        options: tuple[object, ...] = ("--base-url", BASE_URL, "--ca-file", authority.file)
        environment = {}
        if how == "option":
            options = (*options, "--proxy", proxy.url_with_credentials)
        else:
            environment["HTTPS_PROXY"] = proxy.url_with_credentials
        code, told = await _plexypay("bulk-create", orders, *options, key=sandbox.api_key, **environment)

    assert code == 0, told
    assert len(sandbox.payment_links()) == 2
    assert set(proxy.tunnels) == {f"{HOST}:443"}
    assert len(proxy.tunnels) == front.connections
    assert PASSWORD not in told


async def test_what_the_proxy_refuses_is_told_with_its_name(
    orders: Path, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port, asks=True) as proxy:
        code, told = await _plexypay(
            *("bulk-create", orders, "--base-url", BASE_URL, "--ca-file", authority.file, "--timeout", "20"),
            *("--proxy", proxy.url.replace("http://", f"http://{USER}:wrong-word@")),
            key=sandbox.api_key,
        )
    assert code == 1
    assert f"the proxy {proxy.url.removeprefix('http://')} answers HTTP 407" in " ".join(told.split())
    assert "wrong-word" not in told
    assert sandbox.payment_links() == []


async def test_an_unknown_authority_is_told_with_the_option(
    orders: Path, front: Front, sandbox: Sandbox
) -> None:
    code, told = await _plexypay(
        "bulk-create", orders, "--base-url", f"https://127.0.0.1:{front.port}", key=sandbox.api_key
    )
    assert code == 1
    assert "--ca-file" in told
    assert front.heads == []


@pytest.mark.parametrize("command", ["bulk-create", "reconcile"])
async def test_a_client_certificate_proves_the_program(
    command: str, orders: Path, authority: Authority, sandbox: Sandbox, tmp_path: Path
) -> None:
    certificate, key = authority.client_files()
    journal = tmp_path / "orders.journal"
    async with api_over_tls(authority.server_context("127.0.0.1", asks_for_client=True), sandbox) as front:
        options = (
            *("--base-url", f"https://127.0.0.1:{front.port}", "--ca-file", authority.file),
            *("--client-cert", certificate, "--client-key", key, "--journal", journal),
        )
        code, told = await _plexypay("bulk-create", orders, *options, key=sandbox.api_key)
        assert code == 0, told
        if command == "reconcile":
            code, told = await _plexypay("reconcile", orders, *options, key=sandbox.api_key)
            assert code == 0, told
    assert set(front.client_names) == {"till.example"}


async def test_files_that_cannot_be_used_are_named_and_nothing_is_sent(
    orders: Path, authority: Authority, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    certificate, key = authority.client_files()
    for options, expected in (
        (("--ca-file", tmp_path / "gone"), "--ca-file: cannot read"),
        (("--ca-file", nothing), "--ca-file: .* holds no certificates"),
        (("--client-cert", nothing), "--client-cert: .* cannot be used"),
        (("--client-cert", tmp_path / "gone"), "--client-cert: cannot read"),
        (("--client-key", key), "--client-key needs --client-cert"),
        (("--proxy", "socks5://u:hidden-word@proxy.example"), "proxy: .*socks5 is not supported"),
        (("--base-url", "http://sandbox:8790"), "allow_http"),
        (("--sandbox", "--client-cert", certificate), "--client-cert and --sandbox exclude each other"),
    ):
        code, told = await _plexypay("bulk-create", orders, *options, key="key")
        assert code == 2, told
        import re

        assert re.search(expected, " ".join(told.split())), told
        assert "hidden-word" not in told


async def test_a_sandbox_elsewhere_is_reached_by_plain_http_where_that_is_allowed(
    orders: Path, proxy: Proxy
) -> None:
    # Any address that is not loopback by its name: it is not reached, but it is tried.
    options = ("--base-url", "http://sandbox.invalid:8790", "--allow-http", "--timeout", "1")
    code, told = await _plexypay("bulk-create", orders, *options, key="sandbox-key", HTTPS_PROXY=proxy.url)
    assert code == 1
    assert "plain http would send the API key in clear text to sandbox.invalid" in " ".join(told.split())
    assert proxy.tunnels == []
    code, told = await _plexypay("bulk-create", orders, *options, key="pr_" + "0" * 32)
    assert code == 2
    assert "begins with pr_" in told


@pytest.mark.parametrize("line", [*BY_PROXY.splitlines(), *BY_AUTHORITY.splitlines()])
async def test_the_guides_commands(
    line: str, orders: Path, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port) as proxy:
        words = shlex.split(line.replace("http://proxy.example:3128", proxy.url))
        at = words.index("plexypay")
        files = {"orders.csv": orders, "company.pem": authority.file}
        environment = dict(word.split("=", 1) for word in words[:at])
        if "company.pem" not in words:
            environment["SSL_CERT_FILE"] = str(authority.file)
        here = BASE_URL if "proxy.example" in line else f"https://127.0.0.1:{front.port}"
        code, told = await _plexypay(
            *(files.get(word, word) for word in words[at + 1 :]),
            key=sandbox.api_key,
            PLEXYPAY_BASE_URL=here,
            **environment,
        )

    assert code == 0, told
    assert len(sandbox.payment_links()) == 2
    assert bool(proxy.tunnels) == ("proxy.example" in line)
