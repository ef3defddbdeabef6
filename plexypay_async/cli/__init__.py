"""The `plexypay` command: payment links from a file, and a local Plexy Pay to try them on."""

from __future__ import annotations

from .command import main

__all__ = ["main"]
