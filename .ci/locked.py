"""Fail if this environment has a package that the lock file lacks, or has in another version."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

OTHERS = {"pip", "plexypay", "setuptools"}
"""What a new environment has by itself, and the project."""


def unlocked(lock: str) -> list[str]:
    """Return the installed packages that are not in the lock file as they are."""
    locked = set(re.findall(r"^[\w.-]+==[^\s;]+", lock, re.MULTILINE))
    installed = {(re.sub(r"[-_.]+", "-", found.name).lower(), found.version) for found in distributions()}
    return sorted(
        f"{name}=={version}"
        for name, version in installed
        if name not in OTHERS and f"{name}=={version}" not in locked
    )


if __name__ == "__main__":
    if found := unlocked(Path(__file__).parent.with_name("constraints-dev.txt").read_text(encoding="utf-8")):
        sys.exit(f"constraints-dev.txt is out of date (make lock): {', '.join(found)}")
