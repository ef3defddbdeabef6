"""Reading a blocking source, such as a pipe, without blocking the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

__all__ = ["iterate_in_thread"]

T = TypeVar("T")


async def iterate_in_thread(
    source: Iterator[T], *, ahead: int = 64, until: asyncio.Future[None] | None = None
) -> AsyncGenerator[T]:
    """Yield the items of a blocking iterator, which is read in a daemon thread, at most `ahead` items ahead.

    Leaving the generator does not wait for the thread: it may be blocked in a read that never ends, and it
    does not keep the process alive. When `until` is done, the generator ends, even if the source does not.

    Raises:
        BaseException: Whatever `source` raises, after the items before.
    """
    loop = asyncio.get_running_loop()
    # An item in a tuple; or the source's end: the error that it raised, or None.
    arrived: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(ahead)
    left = threading.Event()

    def deliver(item: tuple[T] | BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(arrived.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody waits for more
            left.set()

    def read() -> None:
        try:
            for item in source:
                room.acquire()
                if left.is_set():
                    return
                deliver((item,))
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            deliver(error)
        else:
            deliver(None)

    if until is not None:
        until.add_done_callback(lambda _: arrived.put_nowait(None))
    threading.Thread(target=read, name="plexypay-input", daemon=True).start()
    try:
        while True:
            item = await arrived.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            room.release()
            yield item[0]
    finally:
        left.set()
        room.release()
