"""Many payment links at once: a window of workers over one source of requests."""

from __future__ import annotations

from .window import BulkResult, create_each

__all__ = ["BulkResult", "create_each"]
