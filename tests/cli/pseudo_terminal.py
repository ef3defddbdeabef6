"""A command at a terminal of its own."""

from __future__ import annotations

import codecs
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")


class Terminal:
    """A command whose output and errors go to a pseudo-terminal, which is its controlling terminal."""

    PROGRAM = (
        "import sys\n"
        "from plexypay_async.cli import main, signals\n"
        "signals.run_until_signal.__kwdefaults__['grace'] = 15\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    """The command, which is given time to end cleanly on a slow machine."""

    LONGEST = 120
    """How many seconds one `read` may take."""

    def __init__(self, arguments: Sequence[str], term: str = "xterm-256color", columns: int = 120) -> None:
        import fcntl
        import struct
        import termios

        self.shown = ""
        # A character may come in two parts, or with the echo of a key in it.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", self.PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
            # Their place is the terminal itself.
            env={
                **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
                "TERM": term,
                "PYTHONIOENCODING": "utf-8",
            },
        )
        os.close(slave)

    def read(self, until: str | None = None) -> str:
        """Return everything shown, to its end or until this pattern is there.

        A command that waits for an answer that nobody gives is ended, and fails the test with what it showed.
        """
        end = time.monotonic() + self.LONGEST
        while until is None or not re.search(until, self.shown):
            if not select.select([self._master], [], [], max(0, end - time.monotonic()))[0]:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"nothing more was shown for up to {self.LONGEST} s:\n{self.shown}")
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux says so when the last writer is gone
                data = b""
            if not data:
                break
            self.shown += self._decoder.decode(data)
        return self.shown

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def close(self) -> int:
        code = self.process.wait(timeout=60)
        os.close(self._master)
        return code
