"""What an error tells of the library's calls, told as commands, and the commands that settle an outcome."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import attrs

from ..api.description import API
from ..api.index import operation_of
from ..api.operation import Operation
from ..api.settling import Question
from ..errors import PlexyPayError
from .operation_values import Parameter, parameters_of

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

    def steps(self, questions: Sequence[Question]) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield what to look for, in words, and the commands that show it, for a shell.

        What to look for stands in no command's line: not every shell takes a comment there.
        """
        for told, group in groupby(questions, key=self._told):
            yield told, [command for each in group if (command := self.command(each)) is not None]

    def command(self, question: Question) -> str | None:
        """Return the command that asks a question, for a shell; None where its value cannot stand in one."""
        if not self._is_takeable(question):
            return None
        words = self._commands[question.call].split()
        if (parameter := self._parameter(question)) is not None:
            value = str(question.value)
            words += [value] if parameter.is_positional else _option(parameter.option, value)
        return shlex.join([*words, *self.options])

    def said(self, text: str, questions: Sequence[Question]) -> str:
        """Return what an error says with the commands' words in place of the calls that it names."""
        for question in questions:
            text = text.replace(question.written, f"`{self._short(question.call)}`")
        return text

    def noted(self, note: str) -> str:
        """Return an error's note with the whole commands in place of the calls that it names."""
        return _NAME.sub(lambda found: self._commands.get(found[0], found[0]), note)

    def _told(self, question: Question) -> str:
        if not self._is_takeable(question):
            return f"look for {question.sought} by `{self._short(question.call)}` of {question.value!r}"
        bounds = "" if question.bounds is None else f" ({question.bounds})"
        return f"look for {question.sought}{bounds} with"

    def _is_takeable(self, question: Question) -> bool:
        """Tell whether the value of a question can be written on a line, and is taken for no option."""
        parameter, value = self._parameter(question), str(question.value)
        return parameter is None or (
            value.isprintable() and not (parameter.is_positional and value.startswith("-"))
        )

    def _parameter(self, question: Question) -> Parameter | None:
        """Return the argument of a question's command that takes its value, if it has one."""
        if question.by is None:
            return None
        parameters = parameters_of(operation_of(self.api, question.call).request)
        # An id has the name of the request's own field, and its place.
        return next((each for each in parameters if each.is_positional or each.name == question.by), None)

    def _short(self, name: str) -> str:
        return self._commands[name].partition(f" {self.api.name} ")[2]

    @cached_property
    def _commands(self) -> Mapping[str, str]:
        """The command of each operation, by its full name."""
        return self.commands()


def _option(option: str, value: str) -> Sequence[str]:
    return [f"{option}={value}"] if value.startswith("-") else [option, value]
