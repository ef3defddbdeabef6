"""What the figures were measured on: the processor, Python, and the versions of the libraries."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "plexypay",
    "aiohttp",
    "uvloop",
    "orjson",
    "cattrs",
    "httpx",
    "requests",
    "stripe",
    "squareup",
    "pydantic",
    "msgspec",
)


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed."""
    found: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def description() -> dict[str, Any]:
    """Describe this machine."""
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": versions(),
    }


def line(described: Mapping[str, Any]) -> str:
    """Return a description in one line."""
    libraries = ", ".join(f"{name} {version}" for name, version in described["libraries"].items())
    return (
        f"{described['processor']}, {described['cores']} cores, {described['system']}, {described['python']};"
        f" {libraries}"
    )
