"""The workers of a bulk job: so many rows are worked at, beside those that wait before they are sent again.

A row that has failed pauses for half a second and more before its next attempt, many times what an answer
takes. Where one request in twenty fails, rows that held their workers meanwhile would slow a job to less than
half of what the server takes, though nothing is wrong with its pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Crew", "Worker"]

SPARE = 3
"""For each worker, so many more at the most while rows pause: what bounds the rows in memory."""


class Worker(Protocol):
    """Takes rows one after the other, and performs them."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Work until no row is left, or the crew has enough without this one."""
        ...


W = TypeVar("W", bound=Worker)


class Crew(Generic[W]):
    """The workers of one job, of which some stand in for those whose rows pause.

    Args:
        size: How many rows are worked at.
        may_grow: Whether others stand in while rows pause; not where the number of workers is what limits
            the requests under way.
        make: Makes a worker.
        is_hiring: Tells whether there is work for another one.
    """

    def __init__(
        self, size: int, make: Callable[[], W], *, may_grow: bool, is_hiring: Callable[[], bool]
    ) -> None:
        self._size = size
        self._most = size * (1 + SPARE) if may_grow else size
        self._make = make
        self._is_hiring = is_hiring
        self._workers: dict[asyncio.Task[None], W] = {}
        self._pausing = 0

    def begin(self) -> None:
        """Let the first ones work."""
        for _ in range(self._size):
            self._hire()

    def _hire(self) -> None:
        worker = self._make()
        task = asyncio.get_running_loop().create_task(worker.run())
        self._workers[task] = worker

    @property
    def here(self) -> W | None:
        """The worker whose task this is, if it is one's."""
        task = asyncio.current_task()
        return None if task is None else self._workers.get(task)

    def paused(self) -> None:
        """Note that a row pauses: another one is worked at meanwhile."""
        self._pausing += 1
        working = len(self._workers)
        if working < self._most and working - self._pausing < self._size and self._is_hiring():
            self._hire()

    def resumed(self) -> None:
        """Note that a row goes on."""
        self._pausing -= 1

    def leaves(self) -> bool:
        """Tell whether the worker that asks, which has no row now, is one too many: then it is off."""
        if len(self._workers) - self._pausing <= self._size:
            return False
        task = asyncio.current_task()
        return task is not None and self._workers.pop(task, None) is not None

    async def end(self) -> None:
        """Stop all of them."""
        tasks = list(self._workers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.clear()
