"""Print the lowest allowed version of each dependency and of those of the extras, as constraints for pip."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

EXTRAS = ("cli", "dask", "direct", "speedups")


def floors(project: dict[str, Any]) -> list[str]:
    """Return a constraint for each requirement of the form ``name>=version; marker``."""
    needed: list[str] = list(project["dependencies"])
    for extra in EXTRAS:
        needed += project["optional-dependencies"][extra]
    return [re.sub(r"^([\w.-]+)\s*>=\s*([\w.]+)", r"\1==\2", requirement) for requirement in needed]


if __name__ == "__main__":
    document = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text())
    sys.stdout.write("\n".join(floors(document["project"])) + "\n")
