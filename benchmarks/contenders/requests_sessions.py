"""requests with a session for each thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

import requests

from . import KEY, SyncCreate
from .requests_session import posting


@contextlib.contextmanager
def opened(url: str, _: int) -> Generator[SyncCreate]:
    """Open a session when a thread makes its first call."""
    own = threading.local()
    with contextlib.ExitStack() as sessions:

        def create(n: int) -> str:
            session: requests.Session | None = getattr(own, "session", None)
            if session is None:
                session = own.session = sessions.enter_context(requests.Session())
                session.headers["Authorization"] = KEY
            return posting(session, url, n)

        yield create
