"""The `plexypay` command: payment links from a file, a local Plexy Pay, webhooks shown as they arrive."""

from __future__ import annotations

from .command import main

__all__ = ["main"]
