"""The examples that are scripts: in one process, in several, and a notebook in a running event loop."""

from __future__ import annotations

import multiprocessing
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.needs import need

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

EXAMPLES = Path(__file__).parents[2] / "examples"
# On a busy machine asyncio's debug mode, which -X dev brings, would tell of slow steps.
STRICT = ("-W", "error")

VARIABLES = ("PLEXYPAY_API_KEY", "PLEXYPAY_GATE_API_KEY", "PLEXYPAY_WEBHOOK_TOKEN")

# What the kernel of a notebook does: cells run in the thread of a running loop.
KERNEL = """
import asyncio, re, sys

async def run(cells):
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, "cell", "exec"), names)
        await asyncio.sleep(0)

with open(sys.argv[1], encoding="utf-8") as file:
    asyncio.run(run(re.split("^# %%.*", file.read(), flags=re.MULTILINE)))
"""


def script(start: Start, *arguments: str) -> Program:
    return start(*STRICT, str(EXAMPLES / "sync_script.py"), *arguments)


def failed(program: Program) -> str:
    """Wait until it has ended, which it must with 1, and return what it said on stderr."""
    program.output(status=1)
    assert "Traceback" not in program.log
    return program.log


def test_script_waits_until_its_link_is_paid(start: Start, served: ServedSandbox) -> None:
    served.ask("POST", "/faults", "cut=after,times=1,operation=payment_links.create")
    program = script(start, "ORD-1", "2200000")
    told = program.line()
    (link,) = served.links()
    assert told == f"pay 22000.00 KZT at {link['url']}"
    assert (link["orderReference"], link["amount"]) == ("ORD-1", 2_200_000)

    # Its customer is slow: a second run waits for the same link.
    second = script(start, "ORD-1", "2200000")
    assert second.line() == told
    served.ask("POST", f"/payment-links/{link['id']}/pay")

    assert program.output().decode() == "ORD-1 is authorized\n"
    assert second.output().decode() == "ORD-1 is authorized\n"
    assert program.log == second.log == ""
    assert served.amounts() == {"ORD-1": 2_200_000}


def test_script_lists_what_is_open(start: Start, served: ServedSandbox) -> None:
    first = script(start, "ORD-1", "100")
    first.line()
    second = script(start, "ORD-2", "250")
    second.line()
    links = {link["orderReference"]: link["id"] for link in served.links()}
    served.ask("POST", f"/payment-links/{links['ORD-2']}/pay")

    assert second.output().decode().splitlines() == ["ORD-2 is authorized", "open: ORD-1, 1.00 KZT"]


def test_script_tells_what_became_of_a_failure(start: Start, served: ServedSandbox) -> None:
    assert failed(script(start, "ORD-1", "-5")) == "ConfigurationError: amount: must be positive, got -5\n"

    served.ask("POST", "/faults", "status=401")
    assert failed(script(start, "ORD-1", "5")).startswith(
        "AuthenticationError: payment_links.create 'ORD-1': HTTP 401"
    )
    served.ask("DELETE", "/faults")
    served.ask("POST", "/faults", "cut=after,operation=payment_links.create")
    served.ask("POST", "/faults", "status=403,operation=payment_links.retrieve_by_order_reference")
    told = failed(script(start, "ORD-1", "5"))
    assert told.startswith("OutcomeUnknownError: ")
    assert told.endswith("run the same command again to find it\n")

    served.ask("DELETE", "/faults")
    program = script(start, "ORD-1", "5")
    assert program.line().startswith("pay 0.05 KZT at ")
    assert served.amounts() == {"ORD-1": 5}
    assert "already belongs to pl_" in failed(script(start, "ORD-1", "6"))


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_every_start_method(start: Start, served: ServedSandbox, method: str) -> None:
    # Python 3.12 and later warn of every fork beside a thread.
    options = (*STRICT, "-W", "ignore:This process:DeprecationWarning")
    program = start(*options, str(EXAMPLES / "multiprocessing_links.py"), method)

    told = program.output().decode().splitlines()

    urls = {link["orderReference"]: link["url"] for link in served.links()}
    assert told == [f"ORD-{n} {100 * n} {urls[f'ORD-{n}']}" for n in range(1, 11)]
    assert program.log == ""

    again = start(*options, str(EXAMPLES / "multiprocessing_links.py"), method)
    assert again.output().decode().splitlines() == told
    assert again.log == ""
    assert served.amounts() == {f"ORD-{n}": 100 * n for n in range(1, 11)}


def test_notebook_in_a_running_loop(start: Start, served: ServedSandbox) -> None:
    program = start(*STRICT, "-c", KERNEL, str(EXAMPLES / "notebook.py"))

    told = program.output().decode().splitlines()

    again = start(*STRICT, "-c", KERNEL, str(EXAMPLES / "notebook.py"))
    repeated = again.output().decode().splitlines()
    assert repeated[:-1] == told[:-1]
    assert repeated[-1].partition(", request id ")[0] == told[-1].partition(", request id ")[0]
    assert again.log == ""
    (url,) = (link["url"] for link in served.links() if link["orderReference"] == "NB-0")
    assert told[0] == f"NB-0 active {url}"
    assert told[1] == "{'created': 20}"
    assert told[2] == "21 links over 22210.0 KZT"
    assert told[3].startswith("Outcome.REJECTED payment_links.retrieve 'none': HTTP 404")
    assert program.log == ""
    assert served.amounts() == {"NB-0": 2_200_000} | {f"NB-{n}": 100 * n for n in range(1, 21)}


@pytest.mark.parametrize("address", ["", "https://plexypay.invalid"])
def test_a_notebook_makes_no_links_in_an_account_unless_it_is_told(start: Start, address: str) -> None:
    # An address that is nobody's, should it ask there even so.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "PLEXYPAY_LOG": "debug"}
    program = start(*STRICT, str(EXAMPLES / "notebook.py"), PLEXYPAY_BASE_URL=address, **nowhere)

    told = failed(program)
    assert "IN_MY_ACCOUNT = True" in told
    assert "attempt" not in told


NEEDS = {"fastapi": "fastapi", "flask": "flask", "django": "django", "celery": "celery"}
# These two run without arguments where there is a sandbox, which other tests see.
WITHOUT_ARGUMENTS = ("notebook", "voucher_agent")
USED = [
    pytest.param(example, account, id=f"{example.stem}-{'account' if account else 'bare'}")
    for example in sorted(EXAMPLES.glob("*.py"))
    for account in (False, True)
    if not (account and example.stem in WITHOUT_ARGUMENTS)
]


@pytest.mark.parametrize(("example", "account"), USED)
def test_without_arguments_it_says_how_it_is_used(
    start: Start, served: ServedSandbox, tmp_path: Path, example: Path, account: bool
) -> None:
    need(*(module for name, module in NEEDS.items() if example.stem.startswith(name)))
    # An empty variable is none.
    nothing = {} if account else dict.fromkeys(VARIABLES, "")
    for _ in range(2):
        program = start(*STRICT, str(example), SHOP_QUEUE=str(tmp_path / "queue"), **nothing)
        assert program.output(status=2 if example.stem == "sync_script" else 1) == b""
        assert "Traceback" not in program.log
        assert "PLEXYPAY_" in program.log or "usage: " in program.log or example.stem == "order_book"
        assert len(program.log.splitlines()) <= 30
    assert served.links() == []


COMMAND = re.compile(r"^ *((?:uvicorn|gunicorn|celery|python) .*)$", re.MULTILINE)
STARTED = [
    (example.stem, command[1])
    for example in sorted(EXAMPLES.glob("*.py"))
    for command in re.finditer(
        r"^ *((?:uvicorn|gunicorn|celery|python) .*)$", example.read_text(), re.MULTILINE
    )
]


@pytest.mark.parametrize(("stem", "command"), STARTED)
def test_started_as_it_says_without_an_account_it_says_what_it_needs(
    start: Start, served: ServedSandbox, tmp_path: Path, stem: str, command: str
) -> None:
    need(*(module for name, module in NEEDS.items() if stem.startswith(name)))
    # Behind two spaces one says what the command does.
    program, *arguments = shlex.split(re.split("  +", command)[0].replace("examples", str(EXAMPLES)))
    started = arguments if program == "python" else ["-m", program, *arguments]
    nothing = dict.fromkeys(VARIABLES, "")
    running = start(*started, SHOP_QUEUE=str(tmp_path / "queue"), **nothing)
    assert running.output(status=1) == b""
    assert "Traceback" not in running.log
    assert "PLEXYPAY_" in running.log
    assert served.links() == []


def test_every_way_to_start_an_example_is_tried() -> None:
    assert len(STARTED) >= 12


@pytest.mark.parametrize("arguments", [("INV-1",), ("INV-1", "voucher"), ("INV-1", "101", "2")])
def test_the_agent_says_how_it_is_used(start: Start, arguments: tuple[str, ...]) -> None:
    program = start(*STRICT, str(EXAMPLES / "voucher_agent.py"), *arguments)

    assert "python examples/voucher_agent.py INV-1001 101" in failed(program)
