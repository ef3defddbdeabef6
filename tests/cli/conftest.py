"""A sandbox in a process of its own, steered by its admin paths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from plexypay_async.cli.progress import PlainProgress
from tests.cli.ran import Ran

SANDBOX_TOLD = (
    "plexypay: this was a sandbox, not Plexy Pay: no money moves by these links"
    " (PLEXYPAY_BASE_URL is its address)\n"
)
SANDBOX_ACCOUNT_TOLD = "plexypay: this is a sandbox's account, not one of Plexy Pay\n"
KEY = "pr_0123456789abcdef0123456789abcdef"


class ServedSandbox:
    """A sandbox that outlives the commands run against it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port", "0", "--api-key", KEY],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().split("sandbox on ")[1].split(";")[0]
        self.environment = {**os.environ, "PLEXYPAY_API_KEY": KEY, "PLEXYPAY_BASE_URL": self.base_url}

    def ask(self, method: str, path: str, data: str = "") -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_sandbox{path}", data=data.encode() or None, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def misbehave(self, *faults: str) -> None:
        for fault in faults:
            self.ask("POST", "/faults", fault)

    def behave(self) -> None:
        self.ask("DELETE", "/faults")

    def references(self) -> list[str]:
        """Return the order references of all links there are."""
        found: list[str] = []
        page = 1
        while links := self.ask("GET", f"/payment-links?page={page}&size=10000")["data"]:
            found += [link["orderReference"] for link in links]
            page += 1
        return sorted(found)

    def count(self, operation: str = "payment_links.create") -> int:
        """Return how many requests arrived."""
        requests = self.ask("GET", "/requests")["data"]
        return sum(entry["count"] for entry in requests if entry["operation"] == operation)

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slow machine not show how far a job is among what is expected."""
    monkeypatch.setattr(PlainProgress, "interval", 3600)


@pytest.fixture(scope="session")
def served_sandbox() -> Iterator[ServedSandbox]:
    sandbox = ServedSandbox()
    try:
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture
def served(served_sandbox: ServedSandbox, monkeypatch: pytest.MonkeyPatch) -> ServedSandbox:
    """The sandbox, empty, with the environment set for it."""
    served_sandbox.ask("POST", "/reset")
    monkeypatch.setenv("PLEXYPAY_API_KEY", KEY)
    monkeypatch.setenv("PLEXYPAY_BASE_URL", served_sandbox.base_url)
    return served_sandbox


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Ran:
    return Ran(capsys)
