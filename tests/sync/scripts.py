"""Scripts in processes of their own, which cannot outlive their time limits."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

NAIVE = "PLEXYPAY_NAIVE_BRIDGE"
"""The environment variable that puts the naive bridge in the portal's place."""
NAIVE_LIMIT = 10.0
"""Seconds after which a script on the naive bridge is said to hang."""


class Script:
    """A Python script in a process of its own, which cannot outlive its time limit."""

    def __init__(
        self, code: str, *arguments: str, options: tuple[str, ...], uvloop: bool, development: bool = True
    ) -> None:
        # Whoever runs the tests in the background may have Ctrl-C ignored, which a child inherits.
        prelude = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        if not uvloop:
            prelude += "import sys; sys.modules['uvloop'] = None\n"
        if NAIVE in os.environ:
            room = str(Path(__file__).parent)
            prelude += f"import sys; sys.path.append({room!r}); import naive_bridge; naive_bridge.install()\n"
        mode = ["-X", "dev"] if development else []
        self.process = subprocess.Popen(
            [sys.executable, *mode, *options, "-c", prelude + textwrap.dedent(code), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self, limit: float = 30) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(self._within(limit), self.kill)
        watchdog.start()
        try:
            return self.process.stdout.readline().strip()
        finally:
            watchdog.cancel()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, limit: float = 60) -> tuple[int, str, str]:
        """Wait until it has ended; return its exit status and what it printed."""
        try:
            out, err = self.process.communicate(timeout=self._within(limit))
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self.process.communicate()
            pytest.fail(f"the script hangs after {limit} s\n{out}\n{err}")
        # On a busy machine asyncio's debug mode tells of slow steps.
        err = re.sub(r"^Executing <.* took [\d.]+ seconds\n", "", err, flags=re.MULTILINE)
        return self.process.returncode, out.strip(), err.strip()

    @staticmethod
    def _within(limit: float) -> float:
        return min(limit, NAIVE_LIMIT) if NAIVE in os.environ else limit

    def kill(self) -> None:
        # Its whole session, for a forked child may hang too.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
