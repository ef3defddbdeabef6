"""A browser, a sandbox in a process of its own, and a shop to come back to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.needs import need, without

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEY = "pr_0123456789abcdef0123456789abcdef"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]


class ServedSandbox:
    """``plexypay sandbox``, and the environment that points other commands at it."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port=0", "--api-key", KEY]
        # The shop listens where there is a free port.
        command += ["--webhook-port", "*"]
        self._process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().split("sandbox on ")[1].split(";")[0]
        self.environment = {**os.environ, "PLEXYPAY_API_KEY": KEY, "PLEXYPAY_BASE_URL": self.base_url}

    def run(self, *arguments: str) -> None:
        """Run another command of ``plexypay`` against it."""
        command = [sys.executable, "-m", "plexypay_async.cli", *arguments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=120)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        request = urllib.request.Request(
            self.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": KEY, "Content-Type": "application/json", **headers},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def make_link(self, **fields: Any) -> Any:
        return self.ask("POST", "/v1/payment-links", {"amount": 2_200_000, "currency": "KZT"} | fields)

    def statuses(self) -> list[str]:
        """Return the states of all transactions, the newest first."""
        return [transaction["status"] for transaction in self.ask("GET", "/_sandbox/transactions")["data"]]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


class Shop:
    """A shop's site: pages by their paths, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.visits: list[str] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                found = path in shop.pages
                if found:
                    shop.visits.append(self.path)
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(shop.pages.get(path, "").encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's chromium, without a window.

    One for each test: while Playwright is there, no other test's event loop can run in its thread.
    """
    need("playwright")
    if not os.access(CHROMIUM, os.X_OK):
        without("a browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            # The back button is to do what it does for customers.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield launched
        launched.close()


@pytest.fixture
def served() -> Iterator[ServedSandbox]:
    sandbox = ServedSandbox()
    try:
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture
def shop() -> Iterator[Shop]:
    opened = Shop()
    try:
        yield opened
    finally:
        opened.close()
