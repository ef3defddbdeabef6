"""What the APIs have in common names none of them: what differs is in their descriptions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plexypay_async.apis import APIS

from .test_imports import ROOT, imported, modules

CORE = (
    *("_core", "_http", "_wire", "_privacy", "api"),
    *("_client", "client", "groups", "network", "pagination", "settings"),
    *("plexypay_sync.client", "plexypay_sync.pagination", "plexypay_sync.portal"),
)
WORDS_FOR_READERS = ("api.wire_words",)
"""What rewrites docstrings for those who use no Python has their words in it."""

API_PACKAGES = tuple(api.package.removeprefix("plexypay_async.") for api in APIS)


def core() -> list[str]:
    return [
        name
        for name in modules()
        if any(name == room or name.startswith(f"{room}.") for room in CORE) and name not in WORDS_FOR_READERS
    ]


def names_of_an_api() -> re.Pattern[str]:
    """Match what is an API's own: its title, clients, paths, addresses, headers and words of its errors."""
    words = {r"\b(Async)?Plexy(Pay|Gate|Checkout)\b", r"/v[12]\b", "/agent"}
    for api in APIS:
        words |= {re.escape(each) for each in (api.title, api.key_variable, api.base_url_variable)}
        words |= {re.escape(api.base_url)} if api.base_url else set()
        words |= {re.escape(api.key_header)} if api.key_header != "Authorization" else set()
        words |= {rf'"{re.escape(each)}"' for each in api.errors.types}
        words |= {re.escape(parameter.name) for parameter in api.parameters}
        words |= {rf'"{api.live_keys}"'} if api.live_keys else set()
        words |= {rf"\b{api.name.title()} API\b"}
    return re.compile("|".join(sorted(words)))


def test_there_are_three() -> None:
    assert [api.name for api in APIS] == ["pay", "gate", "checkout"]
    assert len(core()) > 60


@pytest.mark.parametrize("name", core())
def test_a_file_of_the_core_names_no_api(name: str) -> None:
    path: Path = modules()[name]
    pattern = names_of_an_api()
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


@pytest.mark.parametrize("name", core())
def test_a_file_of_the_core_imports_none_of_an_api(name: str) -> None:
    assert not {
        other
        for other in imported(name)
        if any(other == package or other.startswith(f"{package}.") for package in (*API_PACKAGES, "apis"))
    }


def test_the_names_would_be_found() -> None:
    pattern = names_of_an_api()
    for line in (
        'x = "apiError"',
        "the Gate API",
        "an `AsyncPlexyPay`",
        "https://api.plexypay.com/x",
        "agent_id",
    ):
        assert pattern.search(line), line
    for line in ("PlexyPayError", "plexypay_async", "the outage gate", "Authorization"):
        assert not pattern.search(line), line
