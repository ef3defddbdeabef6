"""docs/installing.md: what pip says on an older Python, and the extras that there are."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from .blocks import ROOT, run_by

(REFUSED,) = run_by(__file__)
GUIDE = (ROOT / "docs/installing.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_pip_refuses_an_older_python_in_these_words(tmp_path: Path) -> None:
    # A wheel that wants a newer Python than this one, as the library's does of an older one.
    wheel = tmp_path / "plexypay-0.1.0-py3-none-any.whl"
    about, needed = "plexypay-0.1.0.dist-info", ">=3.99"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: plexypay\nVersion: 0.1.0\nRequires-Python: {needed}\n",
        )
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    pip = [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--dry-run", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=120)

    assert done.returncode == 1
    said = REFUSED.replace(PROJECT["requires-python"], needed).replace("3.10.12", platform.python_version())
    assert said != REFUSED
    assert said.strip() in done.stderr


def test_every_extra_is_told_of() -> None:
    rows = re.findall(r"^\| (`.*?) \|", GUIDE.partition("## Extras")[2], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    # What only CONTRIBUTING.md needs is in `dev`.
    assert told | {"greenlets", "integrations", "checks"} == set(PROJECT["optional-dependencies"])


def test_the_versions_are_those_of_the_project() -> None:
    supported = re.search(r"Python 3\.(\d+) to 3\.(\d+) are supported", GUIDE)
    assert supported is not None
    classified = [
        int(found[1])
        for classifier in PROJECT["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", classifier))
    ]

    assert (int(supported[1]), int(supported[2])) == (min(classified), max(classified))
    assert PROJECT["requires-python"] == f">=3.{supported[1]}"
