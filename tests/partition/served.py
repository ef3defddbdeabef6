"""A sandbox in a process of its own, steered over HTTP as any program could."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

COMMAND = (sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port", "0")


class ServedSandbox:
    """What a test can do with the sandbox behind an address."""

    api_key = "sandbox-key"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._address = urlsplit(base_url).netloc

    def ask(self, method: str, path: str, body: str = "") -> Any:
        """Send one request and return the decoded answer."""
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": self.api_key})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            assert answer.status < 300, content
            return content
        finally:
            connection.close()

    def references(self) -> list[str]:
        """Return the order reference of every link there is."""
        links = self.ask("GET", "/_sandbox/payment-links?size=10000")
        assert links["total"] == len(links["data"])
        return [link["orderReference"] for link in links["data"]]

    def count(self, operation: str) -> int:
        """Return how many requests arrived for an operation."""
        counted = self.ask("GET", "/_sandbox/requests")["data"]
        return sum(entry["count"] for entry in counted if entry["operation"] == operation)

    def create(self, reference: str, amount: int) -> str:
        """Create a link beside the library, and return its id."""
        body = {"amount": amount, "currency": "KZT", "orderReference": reference}
        return str(self.ask("POST", "/v1/payment-links", json.dumps(body))["id"])

    def add_fault(self, text: str) -> None:
        self.ask("POST", "/_sandbox/faults", text)

    def behave(self) -> None:
        self.ask("DELETE", "/_sandbox/faults")

    def reset(self) -> None:
        self.ask("POST", "/_sandbox/reset")


class SandboxProcess:
    """The process that serves it, from start to stop."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        told = [self._process.stdout.readline() for _ in range(3)]
        self.sandbox = ServedSandbox(told[1].strip().partition("=")[2])

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.communicate()
