"""The code of docs/testing.md, run as its readers would, and shown to notice a shop that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.needs import needs

from .conftest import Run

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"
FILES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL))


@needs("django", "fastapi", "httpx2", "vcr")
def test_it_works(run: Run) -> None:
    assert GUIDE.read_text(encoding="utf-8").count("```python") == len(FILES)
    tests = sum(code.count("def test_") for code in FILES.values())
    # One of them is parametrized.
    run(plugins=["asyncio"], **FILES).assert_outcomes(passed=tests + 1)


@pytest.mark.parametrize(
    ("line", "wrong", "noticed"),
    [
        (
            'if link.status == "paid" and not order.paid:',
            'if link.status == "paid":',
            ["fails_at_first", "comes_twice", "comes_late"],
        ),
        ('if link.status == "paid" and not order.paid:', "if not order.paid:", ["fails_at_first"]),
        ("            if not order.paid:", "            if order.paid:", ["never_comes"]),
    ],
    ids=["marks twice", "ships unpaid", "does not ask"],
)
def test_its_tests_notice_a_shop_that_is_wrong(run: Run, line: str, wrong: str, noticed: list[str]) -> None:
    assert FILES["shop"].count(line) == 1
    files = {name: FILES[name] for name in ("shop", "test_shop")}
    files["shop"] = files["shop"].replace(line, wrong)
    result = run("-k", "webhook or payment", plugins=["asyncio"], **files)
    assert re.findall(r"^FAILED .*_that_(\w+)", result.stdout.str(), re.MULTILINE) == noticed
