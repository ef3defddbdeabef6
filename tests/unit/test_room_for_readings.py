"""The room that each reading of a connection takes is kept, not asked of the system each time."""

from __future__ import annotations

import ctypes
import inspect
import os
import subprocess
import sys
from asyncio import selector_events, sslproto
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async._http import opening, transport
from plexypay_async._http.opening import READ_AT_ONCE, PacedConnector, keep_room_for_readings

# The function alone: what an import allocates and gives back is chance.
PROGRAM = f"""
import ctypes

READ_AT_ONCE = {READ_AT_ONCE}

class Allocated(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]

allocated = ctypes.CDLL(None).mallinfo2
allocated.restype = Allocated

def mapped_by_a_reading():
    before = allocated().hblks
    # As a reading does: shrunk to what has come, and given back.
    block = bytearray(READ_AT_ONCE)
    mapped = allocated().hblks
    del block[100:]
    return mapped - before

{inspect.getsource(keep_room_for_readings)}
"""
AT_FIRST = """
print(mapped_by_a_reading(), mapped_by_a_reading())
keep_room_for_readings()
print(mapped_by_a_reading(), mapped_by_a_reading())
"""
WITH_A_HOLE = """
# A program that has given back what lies between other blocks: the first time, the room is in there.
blocks = [bytearray(100_000) for _ in range(40)]
del blocks[10:20]
keep_room_for_readings()
blocks += [bytearray(100_000) for _ in range(10)]
print(mapped_by_a_reading(), mapped_by_a_reading())
keep_room_for_readings()
print(mapped_by_a_reading(), mapped_by_a_reading())
"""


def _is_glibc() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")


@pytest.mark.skipif(not _is_glibc(), reason="the C library is not glibc, or is older than 2.33")
@pytest.mark.parametrize("program", [AT_FIRST, WITH_A_HOLE])
def test_a_reading_asks_the_system_for_no_block(program: str) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_"))
    }
    command = [sys.executable, "-S", "-c", PROGRAM + program]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.split() == ["1", "1", "0", "0"]


@pytest.mark.asyncio
async def test_a_client_and_each_of_its_connections_see_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(transport, "keep_room_for_readings", lambda: kept.append("client"))
    monkeypatch.setattr(opening, "keep_room_for_readings", lambda: kept.append("connection"))

    async def refused(*_: Any) -> Any:
        raise aiohttp.ClientConnectionError

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", refused)
    AsyncPlexyPay(api_key="of-a-test")
    connector = PacedConnector()
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("http://localhost")
    assert kept == ["client", "connection"]


def test_readings_are_as_large_as_asyncio_makes_them() -> None:
    assert selector_events._SelectorTransport.max_size == READ_AT_ONCE  # type: ignore[attr-defined]
    assert sslproto.SSLProtocol.max_size == READ_AT_ONCE
