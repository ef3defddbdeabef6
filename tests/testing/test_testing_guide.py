"""The code of docs/testing.md, run as its readers would, and shown to notice a shop that is wrong."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import run_by
from tests.needs import needs

from .conftest import Run

pytest_plugins = ["pytester"]

# The first line of each block is the name of its file.
FILES = {code.split("\n")[0].removeprefix("# ").removesuffix(".py"): code for code in run_by(__file__)}


@needs("django", "fastapi", "httpx2", "vcr")
def test_it_works(run: Run) -> None:
    assert len(FILES) == len(run_by(__file__))
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
