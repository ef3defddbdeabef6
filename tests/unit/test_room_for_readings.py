"""The room that each reading of a connection takes is kept, not asked of the system each time."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from asyncio import selector_events, sslproto

import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async._http import transport
from plexypay_async._http.opening import READ_AT_ONCE

PROGRAM = """
import ctypes
from plexypay_async._http.opening import READ_AT_ONCE, keep_room_for_readings

class Allocated(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]

allocated = ctypes.CDLL(None).mallinfo2
allocated.restype = Allocated

def read():
    # As a reading does: shrunk to what has come, and given back.
    block = bytearray(READ_AT_ONCE)
    mapped = allocated().hblks
    del block[100:]
    return mapped

mapped = allocated().hblks
before = read() - mapped
keep_room_for_readings()
mapped = allocated().hblks
print(before, read() - mapped)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library is not glibc")
def test_a_reading_asks_the_system_for_no_block() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, after = map(int, ran.stdout.split())
    if not before:
        pytest.skip("an import has given a large block back already")
    assert after == 0


def test_a_client_sees_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setattr(transport, "keep_room_for_readings", lambda: kept.append(True))
    AsyncPlexyPay(api_key="of-a-test")
    assert kept


def test_readings_are_as_large_as_asyncio_makes_them() -> None:
    assert selector_events._SelectorTransport.max_size == READ_AT_ONCE  # type: ignore[attr-defined]
    assert sslproto.SSLProtocol.max_size == READ_AT_ONCE
