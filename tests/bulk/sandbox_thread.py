"""A sandbox that serves from its own thread, for code that blocks the test's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from plexypay_async.sandbox import Sandbox

T = TypeVar("T")


class SandboxThread:
    """A running sandbox, steered from another thread."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(seed=1)
        self._loop = asyncio.new_event_loop()
        self._ready: Future[str] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="sandbox")

    def __enter__(self) -> Self:
        self._thread.start()
        self.base_url = self._ready.result(10)
        self.api_key = self._sandbox.api_key
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _serve(self) -> None:
        self._loop.run_until_complete(self._until_stopped())
        self._loop.close()

    async def _until_stopped(self) -> None:
        async with self._sandbox:
            self._ready.set_result(self._sandbox.base_url)
            await self._stop.wait()

    def _there(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def add_fault(self, text: str) -> None:
        self._there(lambda: self._sandbox.faults.add(text))

    def count(self, operation: str | None = None) -> int:
        return self._there(lambda: self._sandbox.requests.count(operation))

    def links(self) -> list[dict[str, Any]]:
        return self._there(self._sandbox.payment_links)

    def reset(self) -> None:
        self._there(self._sandbox.reset)
