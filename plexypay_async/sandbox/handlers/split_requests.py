"""Split requests, as the sandbox keeps them: see `RecordHandlers`."""

from __future__ import annotations

from .group import RecordHandlers

__all__ = ["SplitRequestsHandlers"]


class SplitRequestsHandlers(RecordHandlers):
    """What the sandbox does for each operation of split requests."""

    source = "splitRequests"
    noun = "split request"
    kind = "split_requests"
