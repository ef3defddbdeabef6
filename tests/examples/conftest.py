"""A sandbox in a process of its own, and the examples in theirs, started as their docstrings say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest


class ServedSandbox:
    """A sandbox that outlives the examples run against it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "plexypay_async.cli", "sandbox", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().split("sandbox on ")[1].split(";")[0]

    def ask(self, method: str, path: str, data: str = "") -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_sandbox{path}", data=data.encode() or None, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def links(self) -> list[dict[str, Any]]:
        """Return all stored links whole."""
        found = self.ask("GET", "/payment-links?size=10000")
        assert found["total"] == len(found["data"])
        return list(found["data"])

    def amounts(self) -> dict[str, int]:
        """Return the amount of each order reference; none may have two links."""
        links = self.links()
        amounts = {link["orderReference"]: link["amount"] for link in links}
        assert len(amounts) == len(links)
        return amounts

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


class Program:
    """A program of its own session, which cannot outlive its time limit; its log is all that it prints."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return self._log.read_text()

    def line(self, limit: float = 60) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(limit, self.kill)
        watchdog.start()
        try:
            return self.process.stdout.readline().decode().strip()
        finally:
            watchdog.cancel()

    def wait_for(self, told: Callable[[str], bool], limit: float = 60) -> None:
        """Wait until its log tells something."""
        deadline = threading.Event()
        watchdog = threading.Timer(limit, deadline.set)
        watchdog.start()
        try:
            while not told(self.log):
                assert self.process.poll() is None, self.log
                assert not deadline.wait(0.02), f"not in {limit} s\n{self.log}"
        finally:
            watchdog.cancel()

    def output(self, given: bytes = b"", status: int = 0, limit: float = 60) -> bytes:
        """Wait until it has ended, which it must with `status`, and return what it printed."""
        try:
            out, _ = self.process.communicate(given, timeout=limit)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the program hangs after {limit} s\n{self.log}")
        assert self.process.returncode == status, self.log
        return out

    def terminate(self, status: int = 0, limit: float = 60) -> None:
        """End it by SIGTERM, and wait until it has ended, which it must with `status`."""
        self.process.send_signal(signal.SIGTERM)
        self.output(status=status, limit=limit)

    def kill(self) -> None:
        # Its whole session, for its workers may hang too.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


Start: TypeAlias = Callable[..., Program]


@pytest.fixture(scope="session")
def _served() -> Iterator[ServedSandbox]:
    served = ServedSandbox()
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def served(_served: ServedSandbox) -> ServedSandbox:
    """An empty sandbox without faults."""
    _served.ask("POST", "/reset")
    return _served


@pytest.fixture
def start(served: ServedSandbox, tmp_path: Path) -> Iterator[Start]:
    """Start Python with arguments, further variables and the sandbox in its environment."""
    programs: list[Program] = []

    def begin(*arguments: str, **variables: str) -> Program:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
            "PLEXYPAY_API_KEY": "sandbox-key",
            "PLEXYPAY_BASE_URL": served.base_url,
            "PLEXYPAY_GATE_API_KEY": "sandbox-key",
            "PLEXYPAY_GATE_BASE_URL": served.base_url,
            "PLEXYPAY_GATE_AGENT_ID": "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10",
            "PLEXYPAY_WEBHOOK_TOKEN": "whk_0123456789abcdef",
            "SHOP_DATABASE": str(tmp_path / "shop.sqlite"),
            "AGENT_DATABASE": str(tmp_path / "agent.sqlite"),
            # gunicorn's socket of control; a socket's path must be short.
            "XDG_RUNTIME_DIR": runtime,
            **variables,
        }
        programs.append(Program(arguments, environment, tmp_path / f"{len(programs)}.log"))
        return programs[-1]

    with tempfile.TemporaryDirectory() as runtime:
        yield begin
        for program in programs:
            program.kill()
            program.process.communicate()
