"""Running a command's work until it ends or a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any

from .exits import exit_code_of
from .terminal import tell

__all__ = ["run_until_signal"]

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def run_until_signal(
    work: Coroutine[Any, Any, None],
    *,
    finish: Callable[[signal.Signals], bool] | None = None,
    finish_timeout: float = 0.2,
    halt: Callable[[], bool] | None = None,
    halt_timeout: float = 0.4,
    grace: float = 0.6,
    left: Callable[[], None] | None = None,
) -> signal.Signals | None:
    """Run `work` on an event loop of its own and return the signal that stopped it, if one did.

    On SIGINT (Ctrl-C) and SIGTERM `finish` is called, if there is one, and where it returns True the work has
    `finish_timeout` seconds to come to its end. Then, or on a second signal, `halt` is called, if there is
    one, and where it returns True the work has `halt_timeout` seconds to tell what is known of it. What still
    goes on is cancelled, and may clean up for `grace` seconds. If it is not done then, or on a third signal,
    the process is ended on the spot with the exit code of the first: whoever pressed Ctrl-C does not wait for
    a server. `left` is called before, to clear the terminal and tell what is left behind.

    Raises:
        Exception: Whatever `work` raises.
    """
    try:
        return asyncio.run(_supervise(work, finish, finish_timeout, halt, halt_timeout, grace, left))
    except KeyboardInterrupt:
        return signal.SIGINT


async def _supervise(
    work: Coroutine[Any, Any, None],
    finish: Callable[[signal.Signals], bool] | None,
    finish_timeout: float,
    halt: Callable[[], bool] | None,
    halt_timeout: float,
    grace: float,
    left: Callable[[], None] | None,
) -> signal.Signals | None:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()
    hurried: asyncio.Future[None] = loop.create_future()
    task = loop.create_task(work)

    async def wind_up() -> None:
        if halt is not None and not task.done() and halt():
            await asyncio.wait({task}, timeout=halt_timeout)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=grace)

    def stop(received: signal.Signals) -> None:
        if not stopped.done():
            stopped.set_result(received)
        elif not hurried.done():
            hurried.set_result(None)
        else:
            _end_now(stopped.result(), left)

    with _handler(stop):
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                task.result()
                return None
            received = stopped.result()
            if finish is not None and finish(received):
                await asyncio.wait(
                    (task, hurried), timeout=finish_timeout, return_when=asyncio.FIRST_COMPLETED
                )
            await wind_up()
            if not task.done():
                _end_now(received, left)
            if not task.cancelled():
                task.result()
            return received
        except asyncio.CancelledError:
            await wind_up()
            raise
        finally:
            stopped.cancel()
            hurried.cancel()


@contextmanager
def _handler(stop: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call `stop` for signals, if this platform and thread can; if not, asyncio.run cancels on Ctrl-C."""
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in _STOPPING:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop, number)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _end_now(received: signal.Signals, left: Callable[[], None] | None) -> None:
    if left is not None:
        left()
    tell("plexypay: stopped without a clean end: some connections did not close")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code_of(received))
