"""Many payment links at once: workers over one source, a journal, and partitions for other engines."""

from __future__ import annotations

from ..api.payment_links import BulkResult
from .journal import Journal
from .partition import PartitionRecord, PartitionSettings, create_partition

__all__ = ["BulkResult", "Journal", "PartitionRecord", "PartitionSettings", "create_partition"]
