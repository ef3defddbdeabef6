"""The event-loop thread: one daemon thread with one loop for all `PlexyPay` clients of a process.

It starts with the first call, never at import. After `fork()` the child gets a thread and a loop of its own.
At exit the calls under way are cancelled, and the thread is waited for at most a second.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import AsyncGenerator, Coroutine
from importlib import import_module
from typing import Any, TypeVar
from weakref import WeakSet

from plexypay_async.errors import ConfigurationError

__all__ = ["Portal", "portal"]

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds to wait for cancelled work, after Ctrl-C and at exit."""


class Portal:
    """Runs coroutines on its own thread, for threads that have no event loop."""

    def __init__(self) -> None:
        self._renew()
        self._on_fork: WeakSet[Any] = WeakSet()
        # What a forked child inherits of its parent's loop is kept and never touched: its sockets and its
        # selector are the parent's too.
        self._left_behind: list[Any] = []

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the portal's loop and return its result, with the caller's context variables.

        An exception in the caller while it waits, such as KeyboardInterrupt, cancels the coroutine first.

        Raises:
            ConfigurationError: It is called on the portal's own loop, or after the interpreter began to exit.
            BaseException: What the coroutine raises.
        """
        try:
            loop = self._running_loop()
        except BaseException:
            coroutine.close()
            raise
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                self._wait_for(coroutine)
            raise

    def finish(self, generator: AsyncGenerator[Any, None]) -> None:
        """Close an async generator of the portal's loop, from whichever thread drops it."""
        loop = self._loop
        if loop is None or not loop.is_running():
            return
        closing = _closed(generator)
        if threading.current_thread() is self._thread:
            task = loop.create_task(closing)
            self._left_behind.append(task)
            task.add_done_callback(self._left_behind.remove)
        else:
            self.run(closing)

    def renew_after_fork(self, owner: Any) -> None:
        """Call `owner.renewed_after_fork()` in every forked child, for as long as `owner` lives."""
        self._on_fork.add(owner)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            loop = self._started()
        if threading.current_thread() is self._thread:
            raise ConfigurationError(
                "PlexyPay was called on its own event loop and would wait for itself; use AsyncPlexyPay there"
            )
        if self._ended or not loop.is_running():
            raise ConfigurationError("the interpreter is exiting: PlexyPay takes no more calls")
        return loop

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is not None:
                return self._loop
            loop = _new_event_loop()
            running = threading.Event()
            thread = threading.Thread(target=_serve, args=(loop, running), name="plexypay", daemon=True)
            thread.start()
            running.wait()
            self._thread = thread
            self._loop = loop
            return loop

    def _wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Wait until a cancelled coroutine has let go of its connection, at most `PATIENCE` seconds."""
        loop = self._loop
        if loop is None or not loop.is_running():
            return
        asked: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(_ended(coroutine), loop)
        concurrent.futures.wait([asked], timeout=PATIENCE)

    def stop(self) -> None:
        """Cancel what is under way, close every connection and end the thread, at exit."""
        self._ended = True
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not loop.is_running():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)

    def after_fork_in_child(self) -> None:
        """Start anew: of the parent's threads only the forking one lives on here."""
        if self._loop is not None:
            self._left_behind.append((self._loop, self._thread))
        self._renew()
        for owner in list(self._on_fork):
            self._left_behind.append(owner.renewed_after_fork())


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop: Any = import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _serve(loop: asyncio.AbstractEventLoop, running: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(running.set)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        # The clients' sessions close here, on the loop that they belong to.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _closed(generator: AsyncGenerator[Any, None]) -> None:
    await generator.aclose()


async def _ended(coroutine: Coroutine[Any, Any, Any]) -> None:
    tasks = [task for task in asyncio.all_tasks() if task.get_coro() is coroutine]
    if tasks:
        await asyncio.wait(tasks)


portal = Portal()
atexit.register(portal.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.after_fork_in_child)
