"""One run of an operation, after its arguments were checked: asking, performing, printing."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from .._privacy.hiding import masked, shortened
from .._privacy.printable import printable_json
from .._privacy.secret import Secret
from ..api.operation import Declared, Ensured, Listing, Operation
from ..api.replay import Replay
from ..api.settling import Question
from ..errors import ConfigurationError, Outcome, PlexyPayError
from ..pagination import DEFAULT_PAGE_SIZE, AsyncPages, RepeatFilter
from .account import without_secret
from .exits import Exit, LostOutputError, UnusableInputError, exit_code_of
from .operation_advice import Advice
from .operation_output import Output
from .operation_values import Parameter, told_by_options, told_request
from .signals import run_until_signal
from .terminal import (
    ask,
    drop_output,
    drop_output_that_fails,
    has_somebody_to_ask,
    show,
    tell,
    tell_command,
)

__all__ = ["OperationRun", "changes_something", "is_refused_again", "replay_of"]

_HALT_TIMEOUT = 2.0
"""Seconds for a request that is cut to tell whether it was sent."""
_LONGEST_QUESTION = 4000
"""Characters of a request in the question."""


def changes_something(declared: Declared[...]) -> bool:
    """Tell whether an operation may change something, so that it is asked about."""
    operation = _operation_of(declared)
    return operation is not None and not operation.reads


def replay_of(declared: Declared[...]) -> Replay:
    """Return what may be repeated of an operation."""
    operation = _operation_of(declared)
    return Replay.SAFE if operation is None else operation.replay


def is_refused_again(declared: Declared[...]) -> bool:
    """Tell whether an operation that was done is refused when it is asked for once more."""
    operation = _operation_of(declared)
    return operation is not None and operation.confirmation is not None


def _finds_earlier(declared: Declared[...]) -> bool:
    """Tell whether an operation returns what an earlier call of it has made."""
    return isinstance(declared, Ensured)


def _operation_of(declared: Declared[...]) -> Operation[..., Any] | None:
    """Return the one operation that a command performs; None where it is a listing or a wait."""
    found = cast("Any", declared).operation if isinstance(declared, Ensured) else declared
    return cast("Operation[..., Any]", found) if isinstance(found, Operation) else None


@attrs.define(eq=False, kw_only=True)
class OperationRun:
    """Performs one operation, prints its answer, and tells what became of it.

    Args:
        command: The command's words, such as ``pay payment-links create``.
        group: The attribute of a client that has the operation's group.
        declared: The operation.
        parameters: The arguments that its command has.
        request: The request, or the options of a wait.
        open_client: Makes the client within a stack, and tells the key that it has.
        address: Where the request goes; None for a sandbox of this process.
        client_parameters: What the client is made with, such as an agent's id.
        options: Options of the call, such as its time-out.
        output: What turns an answer into what is printed.
        advice: What says in commands what errors say in Python.
        wholes: What each amount is that was not given, where that is all there is.
        limit: How many items of a listing are printed at the most.
        resume: Where a listing begins, if not at its first page.
        agreed: Whether it was agreed before that it is sent.
    """

    command: str
    group: str
    declared: Declared[...]
    parameters: tuple[Parameter, ...]
    request: Any
    open_client: Callable[[AsyncExitStack], Awaitable[tuple[Any, Secret[str]]]]
    address: str | None
    client_parameters: Mapping[str, str]
    options: Mapping[str, Any]
    output: Output
    advice: Advice
    wholes: Mapping[str, str]
    limit: int | None = None
    resume: str | None = None
    agreed: bool = False
    _client: Any = attrs.field(init=False, default=None)
    _secret: Secret[str] = attrs.field(init=False, factory=lambda: Secret(""))
    _failure: PlexyPayError | None = attrs.field(init=False, default=None)
    _code: int = attrs.field(init=False, default=Exit.OK)
    _printed: int = attrs.field(init=False, default=0)
    _sandbox_told: bool = attrs.field(init=False, default=False)
    _closing: asyncio.Task[None] | None = attrs.field(init=False, default=None)

    def execute(self) -> int:
        """Perform the operation and return the exit code.

        Raises:
            UnusableInputError: It was not agreed, or what was given cannot be used; nothing was sent.
        """
        if changes_something(self.declared):
            self._have_it_agreed()
            self._tell_key()
        received = run_until_signal(
            self._perform(), halt=self._halt, halt_timeout=_HALT_TIMEOUT, left=self._tell_left
        )
        if received is not None:
            return self._stopped_by(received)
        if (told := self.output.told()) is not None:
            tell(f"plexypay: {told}")
        return self._code

    @property
    def _options(self) -> dict[str, str]:
        """The option of each name with which an error's message may begin."""
        return {"cursor": "--resume", **{each.name: each.option for each in self.parameters}}

    # ------------------------------------------------------------------------------------------- before

    def _have_it_agreed(self) -> None:
        if self.agreed or self.address is None:
            return
        if not has_somebody_to_ask():
            raise UnusableInputError(
                f"{self.command} changes something, and nobody is here to be asked: give --yes;"
                " nothing was sent"
            )
        asked = {**self.client_parameters, **told_request(self.request)}
        told = shortened(printable_json(masked(asked)), _LONGEST_QUESTION)
        host = urlsplit(self.address).netloc
        try:
            answer = ask(f"Send to {host}: {self.command} {told}{self._wholes}? [y/N]")
            agreed = answer.lower() in ("y", "yes")
        except OSError:
            # The terminal is gone.
            agreed = False
        if not agreed:
            raise UnusableInputError("not confirmed: nothing was sent")

    @property
    def _wholes(self) -> str:
        told = [f"{self._options[name]}: {whole}" for name, whole in self.wholes.items()]
        return f" ({'; '.join(told)})" if told else ""

    @property
    def _key(self) -> tuple[str, str] | None:
        """The option of the request's idempotency key and the key, where it has one."""
        operation = _operation_of(self.declared)
        if operation is None or operation.key is None:
            return None
        return self._options[operation.key], getattr(self.request, operation.key)

    def _tell_key(self) -> None:
        """Tell the key before the request is sent: it is what a process that is killed leaves behind."""
        if (key := self._key) is not None:
            option, text = key
            tell(f"plexypay: sent with {option} {text}: the same command with it is safe to repeat")

    # ------------------------------------------------------------------------------------------- the call

    async def _perform(self) -> None:
        unusable: str | None = None
        try:
            async with AsyncExitStack() as stack:
                self._client, self._secret = await self.open_client(stack)
                call = self._call()
                try:
                    if isinstance(self.declared, Listing):
                        await self._print_items(call)
                    else:
                        answer = await call(**self._arguments())
                        self._tell_sandbox()
                        self._print_answer(answer)
                except PlexyPayError:
                    # A client that is closed does not know it any more.
                    self._tell_sandbox()
                    raise
        except ConfigurationError as error:
            if self._closing is not None or error.outcome is not Outcome.NOT_SENT:
                self._failure = error
            else:
                unusable = told_by_options(str(error), self._options)
        except PlexyPayError as error:
            self._failure = error
        finally:
            if self._closing is not None:
                await asyncio.gather(self._closing, return_exceptions=True)
        # Not raised in the handler: the other error, whose frames hold the key, would be its context.
        if unusable is not None:
            raise UnusableInputError(f"{without_secret(unusable, self._secret)}; nothing was sent")
        if self._failure is not None and self._closing is None:
            self._tell_failure(self._failure)

    def _call(self) -> Any:
        """Return the client's call, with the options of this run."""
        attribute = self.declared.name.rpartition(".")[2]
        call = getattr(getattr(self._client, self.group), attribute)
        return call.with_options(**self.options) if self.options else call

    def _arguments(self) -> dict[str, Any]:
        """Return the request's fields for the client, which makes the same request of them."""
        return {each.name: getattr(self.request, each.name) for each in self.parameters}

    async def _print_items(self, call: Any) -> None:
        pages = cast("AsyncPages[Any]", call(**self._arguments()))
        if self.resume is not None:
            pages = pages.resume(self.resume)
        if self.limit is not None and self.limit <= DEFAULT_PAGE_SIZE:
            # No page is asked for that nobody will see.
            pages = pages.prefetch(1)
        repeats = RepeatFilter()
        try:
            async with aclosing(cast("AsyncGenerator[Any]", pages.pages())) as opened:
                async for page in opened:
                    self._tell_sandbox()
                    for item in repeats.new(page.items):
                        if self.limit is not None and self._printed >= self.limit:
                            break
                        show(self._line(item))
                        self._printed += 1
                    sys.stdout.flush()
                    if self.limit is not None and self._printed >= self.limit:
                        return
        except BrokenPipeError:
            drop_output()

    def _line(self, answer: Any) -> str:
        # An answer is not to be lost for a letter that the terminal's encoding does not have.
        in_ascii = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
        text = printable_json(self.output.document(answer), in_ascii=in_ascii)
        return text if self.output.shows_secrets else without_secret(text, self._secret)

    def _print_answer(self, answer: Any) -> None:
        line = self._line(answer)
        try:
            show(line, flush=True)
        except (BrokenPipeError, LostOutputError) as error:
            drop_output_that_fails()
            if not changes_something(self.declared):
                if isinstance(error, BrokenPipeError):
                    return
                raise
            # What was made must not be lost with the place for its answer.
            why = "nobody reads it" if isinstance(error, BrokenPipeError) else str(error)
            tell(f"plexypay: {self.command} WAS done; its answer is lost to standard output ({why}): {line}")
            if isinstance(error, LostOutputError):
                self._code = Exit.UNKNOWN

    # ------------------------------------------------------------------------------------------ afterwards

    def _tell_sandbox(self) -> None:
        if self.address is not None and not self._sandbox_told and self._client.is_sandbox:
            self._sandbox_told = True
            tell("plexypay: this is a sandbox's account, not one of Plexy Pay")

    def _is_open(self, failure: PlexyPayError) -> bool:
        """Tell whether something may have been changed by a call that has failed."""
        changes = changes_something(self.declared)
        return changes and failure.outcome not in (Outcome.NOT_SENT, Outcome.REJECTED)

    def _tell_failure(self, failure: PlexyPayError) -> None:
        notes = map(self.advice.noted, getattr(failure, "__notes__", ()))
        for line in (self.advice.said(str(failure), self._questions(failure)), *notes):
            tell(f"plexypay: {without_secret(line, self._secret)}")
        self._code = Exit.INCOMPLETE
        if self._is_open(failure):
            self._code = Exit.UNKNOWN
            self._tell_what_to_do(failure)
        elif failure.cursor is not None and self._printed:
            more = f"the same command with --resume {failure.cursor} goes on"
            tell(f"plexypay: {self._printed:,} printed; {more}")

    def _questions(self, failure: PlexyPayError | None) -> Sequence[Question]:
        return self.advice.questions(_operation_of(self.declared), self.request, failure)

    def _tell_what_to_do(self, failure: PlexyPayError | None, begin: str = "") -> None:
        """Tell what to do now, and the commands that show what became of it."""
        tell(f"plexypay: {begin}{self._what_to_do(failure)}")
        done = failure is not None and failure.outcome is Outcome.DONE
        # A sandbox of this process has ended with it.
        if self.address is None or done or self._key is not None or replay_of(self.declared).unknown:
            return
        for sought, commands in self.advice.steps(self._questions(failure)):
            tell(f"plexypay: {without_secret(sought, self._secret)}")
            for command in commands:
                tell_command(without_secret(command, self._secret))

    def _what_to_do(self, failure: PlexyPayError | None) -> str:
        done = failure is not None and failure.outcome is Outcome.DONE
        told = "it was done, and its answer is lost" if done else "it is not known whether it was done"
        key, replay = self._key, replay_of(self.declared)
        if key is not None:
            return f"{told}: run the same command again with {' '.join(key)}, which does it once in all"
        if replay.unknown or _finds_earlier(self.declared):
            refused = "; it is refused if it was done" if is_refused_again(self.declared) else ""
            return f"{told}: the same command is safe to run again{refused}"
        if replay.moves_money:
            return f"{told}: do not run it again before you know; money could move twice"
        return f"{told}: do not run it again before you know; it could be made twice"

    def _halt(self) -> bool:
        """Cut the call, so that it tells whether it was sent."""
        if self._client is None:
            return False
        self._closing = asyncio.get_running_loop().create_task(self._client.close())
        return True

    def _stopped_by(self, received: signal.Signals) -> int:
        name = "Ctrl-C" if received is signal.SIGINT else received.name
        if not changes_something(self.declared):
            tell(f"plexypay: stopped by {name}{self._printed_so_far()}")
        elif self._client is None or (self._failure is not None and not self._is_open(self._failure)):
            tell(f"plexypay: stopped by {name}: nothing was done")
        else:
            self._tell_what_to_do(self._failure, f"stopped by {name}: ")
        return exit_code_of(received)

    def _printed_so_far(self) -> str:
        return f" after {self._printed:,} items" if isinstance(self.declared, Listing) else ""

    def _tell_left(self) -> None:
        if changes_something(self.declared):
            self._tell_what_to_do(self._failure)
