"""How a command line is read: options are written out, and a mistyped one is told before all else."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, cast

from .help_text import HelpFormatter
from .terminal import printable, write_to_any_reader

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["Parser"]

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class Parser(argparse.ArgumentParser):
    """A parser of the command or of one of its commands; `parser` of what it returns is the innermost one.

    An option is written out: its beginning alone may be that of another one tomorrow. One that there is not
    is the first error to be told, for it is often the cause of the others, and told without its value, which
    may be a secret. Errors quote the arguments, and are printable.

    Args:
        fill: Gives the parser its description and arguments, when it is used for the first time.
        options: Those of `argparse.ArgumentParser`.
    """

    def __init__(self, *, fill: Callable[[Parser], None] | None = None, **options: Any) -> None:
        super().__init__(formatter_class=HelpFormatter, allow_abbrev=False, **options)
        self.set_defaults(parser=self)
        self._given: list[str] = []
        self._fill = fill

    def fill(self) -> None:
        """Give the parser its description and arguments, unless it has them."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] - it takes all that they do
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """Read arguments; those that the parser does not have are its own error, not that of its caller."""
        self.fill()
        self._given = list(sys.argv[1:] if args is None else args)
        try:
            found, left = super().parse_known_args(args, namespace)
            if left:
                self.error(f"unrecognized arguments: {' '.join(left)}")
        finally:
            # A token may be among them.
            self._given = []
        return found, left

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        # The arguments of a command come here for its name, and again for themselves.
        if not arg_string and action.nargs != argparse.PARSER and action.type is None:
            raise argparse.ArgumentError(action, "it is empty: perhaps a variable of the shell is not set")
        return super()._get_value(action, arg_string)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; that it cannot be written is not passed over."""
        if file is None:
            write_to_any_reader(self.format_help())
        else:
            super().print_help(file)

    def error(self, message: str) -> NoReturn:
        """End with the usage and an error: that of unknown options, if there are any, or else this one."""
        unknown = self._unknown_options()
        if unknown:
            message = f"unrecognized arguments: {' '.join(unknown)}{''.join(map(self._hint, unknown))}"
        super().error(printable(message))

    def _unknown_options(self) -> list[str]:
        known = self._option_string_actions
        unknown: list[str] = []
        has_commands = any(self._commands())
        at_value = False
        for argument in self._given:
            name = argument.partition("=")[0]
            if argument == "--":
                break
            if not _is_option(argument):
                if has_commands and not at_value:
                    # What follows a command is its own.
                    break
                at_value = False
            elif name in known:
                at_value = known[name].nargs != 0 and name == argument
            else:
                # A value such as -inf is told as what it is.
                if name.startswith("--") or not (at_value or name[:2] in known):
                    unknown.append(name)
                at_value = False
        return unknown

    def _hint(self, name: str) -> str:
        """Return which option may have been meant, if any is near: one of this parser, or of a command."""
        near = _near(name, self._option_string_actions)
        if not near:
            commands = [command for command in self._below() if _near(name, command._option_string_actions)]
            # The one that was given, if it is among them.
            commands.sort(key=lambda command: not {*command.prog.split()[1:]} <= {*self._given})
            for command in commands[:1]:
                near = [f"{command.prog} {option}" for option in _near(name, command._option_string_actions)]
        return f"; did you mean {' or '.join(near)} for {name}?" if near else ""

    def _commands(self) -> Iterator[Parser]:
        for action in self._actions:
            choices = cast("Any", action.choices)
            if isinstance(choices, dict):
                yield from cast("dict[str, Parser]", choices).values()

    def _below(self) -> Iterator[Parser]:
        for command in self._commands():
            yield command
            yield from command._below()


def _is_option(argument: str) -> bool:
    """Tell whether an argument stands for an option, and not for a value."""
    name = argument.partition("=")[0]
    if len(argument) < 2 or not argument.startswith("-") or " " in name:
        return False
    return _NEGATIVE_NUMBER.fullmatch(argument) is None


def _near(name: str, options: Sequence[str] | dict[str, Any]) -> list[str]:
    long = [option for option in options if option.startswith("--")]
    beginning = [option for option in long if len(name) > 2 and option.startswith(name)]
    return beginning or get_close_matches(name, long, n=1)
