"""The walk over an error's frames finds what it should: else the tests that use it would prove nothing."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from plexypay_async import ConfigurationError
from plexypay_async._privacy.secret import Secret
from tests.frames import exposures, record_exposures

NUMBER = "4111111111111111"


@attrs.frozen
class Slotted:
    held: Any = attrs.field(repr=False)


class Open:
    def __init__(self, held: Any) -> None:
        self.held = held

    def method(self) -> None: ...


HOLDERS: dict[str, Callable[[str], object]] = {
    "as it is": lambda text: text,
    "a number": int,
    "bytes": lambda text: b"a body with " + text.encode(),
    "a dict": lambda text: {"a": {"b": [text]}},
    "a key": lambda text: {text: 1},
    "a set": lambda text: {text},
    "slots": Slotted,
    "a dictionary of an object's": Open,
    "a partial": lambda text: functools.partial(print, text),
    "a method": lambda text: Open(text).method,
    "an error": lambda text: Open(ValueError(Slotted(text))),
    "a cause": lambda text: _caused(KeyError(text)),
}


def _caused(cause: Exception) -> Exception:
    error = ValueError("told")
    error.__cause__ = cause
    return error


def failing(held: object) -> Any:
    """Return a function, of another file than this, whose frame holds something when it fails."""
    names: dict[str, Any] = {"held": held}
    exec(compile("def fail(value):\n    raise ValueError('failed')", "elsewhere.py", "exec"), names)
    return names["fail"]


@pytest.mark.parametrize("name", HOLDERS)
def test_a_secret_in_a_frame_is_found(name: str) -> None:
    held = HOLDERS[name](NUMBER)
    with pytest.raises(ValueError, match="failed") as caught:
        failing(held)(held)
    assert exposures(caught.value, [NUMBER])


def test_a_secret_of_the_type_for_it_is_not() -> None:
    held = Slotted(Secret(NUMBER))
    with pytest.raises(ValueError, match="failed") as caught:
        failing(held)(held)
    assert exposures(caught.value, [NUMBER]) == []


def test_a_part_of_another_number_is_none() -> None:
    held = {"at": 0x737, "port": 17371, "id": "a737f"}
    with pytest.raises(ValueError, match="failed") as caught:
        failing(held)(held)
    assert exposures(caught.value, ["737"]) == []


def test_what_an_error_says_pickles_and_logs_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    assert exposures(ConfigurationError(f"in the message: {NUMBER[:8]}"), [NUMBER[:8]])
    # The logger of the library keeps no object: it takes its text.
    logging.getLogger("elsewhere").warning("%s", Open([NUMBER]))
    assert record_exposures(caplog.records, [NUMBER])
    assert record_exposures(caplog.records, ["4222222222222"]) == []
