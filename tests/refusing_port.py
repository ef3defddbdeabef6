"""A port of this machine that refuses every connection, until the test itself has a server listen there.

It stays bound, so that no server of another test is given it meanwhile.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

__all__ = ["refusing_port"]


@contextlib.contextmanager
def refusing_port() -> Generator[int]:
    """Hold a port of 127.0.0.1 while the block runs; a server that reuses addresses may listen at it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
