"""The `plexypay` command: payment links from a file, single operations, a local Plexy Pay, webhooks shown."""

from __future__ import annotations

from .command import main

__all__ = ["main"]
