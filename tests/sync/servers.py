"""Servers on threads of their own: a sandbox, and one that never answers."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from plexypay_async.sandbox import Fault, Sandbox

T = TypeVar("T")


class ThreadedSandbox:
    """A sandbox that serves from its own thread, steered from the test's."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(seed=1)
        self._loop = asyncio.new_event_loop()
        self._ready: Future[str] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="sandbox")
        self._thread.start()
        self.base_url = self._ready.result(30)
        self.api_key = self._sandbox.api_key

    def _serve(self) -> None:
        with closing(self._loop):
            self._loop.run_until_complete(self._until_stopped())

    async def _until_stopped(self) -> None:
        async with self._sandbox:
            self._ready.set_result(self._sandbox.base_url)
            await self._stop.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def on_loop(self, function: Callable[[Sandbox], T]) -> T:
        """Call a function with the sandbox on the sandbox's thread."""

        async def call() -> T:
            return function(self._sandbox)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    def add_fault(self, text: str) -> Fault:
        return self.on_loop(lambda sandbox: sandbox.faults.add(text))

    def count(self, operation: str | None = None) -> int:
        return self.on_loop(lambda sandbox: sandbox.requests.count(operation))

    def reset(self) -> None:
        self.on_loop(Sandbox.reset)


class SilentServer:
    """A server that reads requests and never answers; it tells when one came and when a client went."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = threading.Semaphore(0)
        self.gone = threading.Semaphore(0)
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="silent")]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._read, args=(connection,), name="silent")
            self._threads.append(thread)
            thread.start()

    def _read(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    if data.endswith(b"\r\n\r\n") or b"\r\n\r\n" in data:
                        self.asked.release()
            except OSError:
                pass
        self.gone.release()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            if connection.fileno() >= 0:
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
