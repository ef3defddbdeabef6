"""Ways in which a call can fail, each over a real socket, and the matrices that say what comes of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar

import attrs

import plexypay_async
from plexypay_async import Outcome, PlexyPayError, RetryPolicy
from plexypay_async.client import AsyncClient

from .scripted import SILENCE, Script, Server, serving

__all__ = ["HELD", "THREE", "UNREACHABLE", "Cell", "cells_of", "failing", "unreachable"]

C = TypeVar("C", bound=AsyncClient)

THREE = RetryPolicy(max_attempts=3, base=0.002, cap=0.01)
UNREACHABLE = ("connection refused", "connect timed out")
HELD = {"GET /held": SILENCE}
"""What takes the only slot where there is none in time; every matrix has it among its routes."""


@attrs.frozen
class Cell:
    """What is expected of one operation and one failure."""

    subject: str
    failure: str
    requests: int
    """How many the server sees if it always fails so."""
    once: int | None
    """How many it sees if it fails once; None where that is raised."""
    error: type[PlexyPayError]
    outcome: Outcome

    def __str__(self) -> str:
        return f"{self.subject}-{self.failure}"


def cells_of(matrix: str) -> list[Cell]:
    """Return the cells of tables with a line for each failure and a column for each subject."""
    cells: list[Cell] = []
    for block in matrix.strip().split("\n\n"):
        head, *rows = ([part.strip() for part in line.split("|")] for line in block.splitlines())
        for failure, *filled, outcome in rows:
            for subject, cell in zip(head[1:-1], filled, strict=True):
                found = re.fullmatch(r"(\d)/(\d|-) (\w+)", cell)
                assert found is not None, cell
                requests, once, error = found.groups()
                cells.append(
                    Cell(
                        subject,
                        failure,
                        int(requests),
                        None if once == "-" else int(once),
                        getattr(plexypay_async, f"{error}Error"),
                        Outcome(outcome),
                    )
                )
    return cells


@contextlib.asynccontextmanager
async def unreachable(routes: Mapping[str, Any], failure: str) -> AsyncGenerator[Server, None]:
    """A server that refuses connections, or leaves them unanswered because its queue of them is full."""
    async with serving(routes, listening=False) as server:
        with contextlib.ExitStack() as queue:
            if failure == "connect timed out":
                server.socket.listen(0)
                for _ in range(2):
                    waiting = queue.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(server.socket.getsockname())
            yield server


@contextlib.asynccontextmanager
async def failing(
    failure: str, routes: Mapping[str, Any], client: Callable[..., C]
) -> AsyncGenerator[tuple[C, Script], None]:
    """A client for whom everything goes wrong as a failure says, and the script that it talks to."""
    options: dict[str, Any] = {"retry": THREE, "timeout": 5.0}
    if failure in UNREACHABLE:
        async with (
            unreachable(routes, failure) as server,
            client(base_url=server.url, connect_timeout=0.05, **options) as made,
        ):
            yield made, server.script
        return
    match failure:
        case "no slot in time":
            options.update(timeout=0.3, max_connections=1)
        case "deadline":
            options.update(timeout=0.1)
        case "silent server":
            options.update(read_timeout=0.03)
        case _:
            pass
    async with serving(routes) as server, client(base_url=server.url, **options) as made:
        if failure != "no slot in time":
            yield made, server.script
            return
        holding = asyncio.create_task(made.with_options(timeout=30).request("GET", "/held"))
        while not server.script.count("GET /held"):
            await asyncio.sleep(0.001)
        yield made, server.script
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
