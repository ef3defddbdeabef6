"""The event loop on which a sandbox serves, and a thread for it where the caller's code blocks its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["SandboxLoop", "ServingThread"]

T = TypeVar("T")


class SandboxLoop:
    """The running event loop, and ways to do something on it from any thread.

    All that uses the database is done on it: a connection serves one thread at a time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def is_of_this_thread(self) -> bool:
        """Whether the loop runs in the thread that asks."""
        return threading.get_ident() == self._thread

    def do(self, work: Callable[[], T]) -> T:
        """Do something on the loop's thread; return or raise what it does."""
        if self.is_of_this_thread:
            return work()

        async def run() -> T:
            return work()

        return self.begin(run()).result()

    def call_soon(self, work: Callable[[], object]) -> None:
        """Have something done on the loop, without waiting for it."""
        self._loop.call_soon_threadsafe(work)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run a coroutine on the loop, and return the future of its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop while another loop, or this one, waits for its result."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(self.begin(work))


class ServingThread:
    """Keeps a server up on a daemon thread.

    Args:
        begin: Starts the server, on the thread's loop.
        end: Stops it there.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> None:
        self._begin = begin
        self._end = end
        self._loop = asyncio.new_event_loop()
        self._begun: Future[None] = Future()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="plexypay-sandbox", daemon=True)

    def start(self) -> None:
        """Return when the server is up.

        Raises:
            RuntimeError: The system gives no thread.
            Exception: What `begin` raises; the thread has ended then.
        """
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise
        try:
            self._begun.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Return when the server is down and the thread has ended."""
        with contextlib.suppress(RuntimeError):
            # The loop is closed where the server never came up.
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            await self._begin()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
            self._begun.set_exception(error)
            return
        self._begun.set_result(None)
        await self._ending.wait()
        await self._end()
