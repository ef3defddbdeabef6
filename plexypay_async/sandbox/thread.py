"""A thread with an event loop of its own, on which a sandbox serves code that blocks its thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

__all__ = ["ServingThread"]


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
