"""The lock file has every requirement of the development environment, in a version that is allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "constraints-dev.txt").read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(document["project"])


def requirements(group: list[str]) -> Iterator[Requirement]:
    """Yield the requirements of a group, and of the project's extras that it names."""
    extras = project()["optional-dependencies"]
    for requirement in map(Requirement, group):
        if requirement.name == project()["name"]:
            for extra in requirement.extras:
                yield from requirements(extras[extra])
        else:
            yield requirement


def locked() -> dict[str, list[str]]:
    """Return the versions of each package: more than one where they depend on the version of Python."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        versions.setdefault(name, []).append(version)
    return versions


@pytest.mark.parametrize("extra", [None, *project()["optional-dependencies"]])
def test_every_requirement_is_locked_in_a_version_that_it_allows(extra: str | None) -> None:
    versions = locked()
    group = project()["dependencies"] if extra is None else [f"plexypay[{extra}]"]

    wrong = [
        str(requirement)
        for requirement in requirements(group)
        if not (found := versions.get(canonicalize_name(requirement.name)))
        or not all(version in requirement.specifier for version in found)
    ]

    assert wrong == [], "constraints-dev.txt is out of date: make lock"


def test_the_full_environment_has_every_extra() -> None:
    extras = project()["optional-dependencies"]
    everything = {str(requirement) for extra in extras for requirement in requirements(extras[extra])}

    assert {str(requirement) for requirement in requirements(extras["dev"])} == everything


def test_it_names_packages_and_no_place_to_get_them_from() -> None:
    told = [line for line in LOCK.splitlines() if not re.match(r"[\w.-]+==\S+( ; .*)?$|\s*#", line)]

    assert told == []
    assert not re.search(r"://|index-url|find-links", LOCK)
