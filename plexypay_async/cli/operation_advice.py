"""What an error tells of the library's calls, told as commands, and the commands that settle an outcome."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from ..api.description import API
from ..api.index import operation_of
from ..api.operation import Operation
from ..api.settling import Question
from ..errors import PlexyPayError
from .operation_values import parameters_of

__all__ = ["Advice"]

_NAME = re.compile(r"(?<![\w./])[a-z_0-9]+\.[a-z_0-9]+\b(?![(/])")


@attrs.frozen(slots=False)
class Advice:
    """Says in commands what errors of one API say in Python.

    Args:
        api: The API.
        commands: Returns the command of each operation, by its full name.
        options: Options that every command needs to reach the same server, such as its address.
    """

    api: API
    commands: Callable[[], Mapping[str, str]]
    options: Sequence[str] = ()

    def questions(
        self, operation: Operation[..., Any] | None, request: Any, failure: PlexyPayError | None
    ) -> Sequence[Question]:
        """Return what tells whether an operation has done its work; nothing where that is not known."""
        if operation is None or operation.settled_by is None:
            return []
        cause = None if failure is None else failure.__cause__
        named = getattr(cause, "transaction_id", None) or getattr(cause, "named", None)
        return list(operation.settled_by.questions(request, named))

    def command(self, question: Question) -> str:
        """Return the command that asks a question, for a shell."""
        request = operation_of(self.api, question.call).request
        words = self._commands[question.call].split()
        for each in parameters_of(request) if question.by is not None else ():
            # An id has the name of the request's own field, and its place.
            if each.is_positional or each.name == question.by:
                value = str(question.value)
                words += [value] if each.is_positional else _option(each.option, value)
                break
        return f"{shlex.join([*words, *self.options])}  # {question.sought}"

    def said(self, text: str, questions: Sequence[Question]) -> str:
        """Return what an error says with the commands' words in place of the calls that it names."""
        for question in questions:
            text = text.replace(question.written, f"`{self._short(question.call)}`")
        return text

    def noted(self, note: str) -> str:
        """Return an error's note with the whole commands in place of the calls that it names."""
        return _NAME.sub(lambda found: self._commands.get(found[0], found[0]), note)

    def _short(self, name: str) -> str:
        return self._commands[name].partition(f" {self.api.name} ")[2]

    @cached_property
    def _commands(self) -> Mapping[str, str]:
        """The command of each operation, by its full name."""
        return self.commands()


def _option(option: str, value: str) -> Sequence[str]:
    return [f"{option}={value}"] if value.startswith("-") else [option, value]
