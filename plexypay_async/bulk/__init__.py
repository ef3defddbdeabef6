"""Many payment links at once: workers over one source, a journal, and partitions for other engines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..pay.payment_links import BulkResult
from .journal import Journal

if TYPE_CHECKING:
    from .partition import PartitionRecord, PartitionSettings, create_partition

__all__ = ["BulkResult", "Journal", "PartitionRecord", "PartitionSettings", "create_partition"]

_OF_PARTITION = ("PartitionRecord", "PartitionSettings", "create_partition")


def __getattr__(name: str) -> Any:
    """Return what belongs to partitions; a job needs none of it, and begins sooner without."""
    if name not in _OF_PARTITION:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.partition"), name)
