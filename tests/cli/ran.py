"""A command that was run in this process, with what it has written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plexypay_async.cli import main


class Ran:
    """What a command has written, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out, self.err = "", ""

    def __call__(self, *arguments: str) -> int:
        self._capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    @property
    def document(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]
