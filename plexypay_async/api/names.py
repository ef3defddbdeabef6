"""Public names of an API's package, imported from their files when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["imported_from"]


def imported_from(package: dict[str, Any], name: str) -> Any:
    """Return what a package has under a name, imported from its file, and keep it there.

    Args:
        package: The package's globals, with the files by their names as ``_NAMES``.
        name: What is asked for.

    Raises:
        AttributeError: It has no such name.
    """
    names: dict[str, str] = package["_NAMES"]
    if name == "__all__":
        return sorted(names)
    if name not in names:
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
    value = package[name] = getattr(import_module(f"{package['__name__']}.{names[name]}"), name)
    return value
