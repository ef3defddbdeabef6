"""Imports run one way: from the public modules down, without a circle, those for types alone included."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("plexypay_async", "plexypay_sync")

# From the bottom up; a module imports what stands in its own layer or below it. The longest name counts.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("_composed_docs", "_privacy", "_times", "_version"),
    ("errors",),
    (
        "_foreign",
        "_files",
        "_privacy.secret_object",
        "answered",
        "json_form",
        "cards",
        "pagination",
        "plexypay_sync.pagination",
        "bulk.journal",
        "bulk.journal_format",
        "bulk.sealing",
    ),
    ("api", "money", "retry_policy"),
    ("pay", "gate", "checkout"),
    ("apis",),
    ("network", "observer", "logs"),
    ("settings",),
    ("_wire",),
    ("_core", "webhooks"),
    ("_http", "groups"),
    (
        *(
            "bulk.amounts",
            "bulk.bad_rows",
            "bulk.columns",
            "bulk.crew",
            "bulk.earlier_rows",
            "bulk.expiries",
            "bulk.frames",
            "bulk.intake",
            "bulk.job",
            "bulk.lasting",
            "bulk.reporting",
            "bulk.result_queue",
        ),
        *("bulk.spreadsheets", "bulk.taken", "bulk.unsent"),
        "plexypay_sync.portal",
    ),
    (
        *("_client", "bulk", "client", "options", "pay.client", "gate.client", "checkout.client"),
        *("_raw_calls", "plexypay_sync.bulk", "plexypay_sync.raw_calls", "telemetry"),
    ),
    ("_lazy", "_names", "", "plexypay_sync.client", "plexypay_sync"),
    ("sandbox",),
    ("cli", "testing"),
)
AIOHTTP_ROOMS = ("_http", "sandbox", "testing")


def name_of(path: Path) -> str:
    """Return a module's name, without the package that most are in."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts[1:] if parts[0] == "plexypay_async" else parts)


@cache
def modules() -> dict[str, Path]:
    return {name_of(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


def imported(name: str) -> set[str]:
    """Return the modules that one imports anywhere in it; aiohttp counts as one."""
    path = modules()[name]
    package = path.parent.relative_to(ROOT).parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module or "").split("."))).rstrip(".")
            # What is imported from a package is a module of it, or a name in its own file.
            inner = {f"{module}.{alias.name}" for alias in node.names}
            known = {each for each in inner if short(each) in modules()}
            found |= known or {module}
    ours = {short(each) for each in found if each.partition(".")[0] in PACKAGES}
    return ours | ({"aiohttp"} if any(each.partition(".")[0] == "aiohttp" for each in found) else set())


def short(module: str) -> str:
    return module.removeprefix("plexypay_async").removeprefix(".")


def layer_of(name: str) -> int:
    """Return the layer of the longest name that a module's begins with."""
    places = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
    while name not in places:
        name = name.rpartition(".")[0]
    return places[name]


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: imported(name) - {"aiohttp"} for name in modules()}
    assert len(graph) > 100
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_module_imports_one_above_it() -> None:
    against = [
        f"{name or 'plexypay_async'} imports {other}"
        for name in modules()
        for other in imported(name) - {"aiohttp"}
        if layer_of(other) > layer_of(name)
    ]
    assert not against


def test_aiohttp_is_known_in_its_rooms_alone() -> None:
    knowing = {name for name in modules() if "aiohttp" in imported(name)}
    assert knowing
    assert {name for name in knowing if name.partition(".")[0] not in AIOHTTP_ROOMS} == set()


def test_the_core_of_a_call_knows_neither_the_client_nor_http() -> None:
    for name in modules():
        if name.startswith("_core."):
            assert not {other for other in imported(name) if other.startswith(("_http", "client", "aiohttp"))}


# Each of them costs more than what is imported.
HEAVY = {
    "plexypay_async.webhooks": ("aiohttp", "asyncio"),
    "plexypay_async.errors": ("aiohttp", "asyncio", "attr"),
}


@pytest.mark.parametrize("module", HEAVY)
def test_what_needs_little_loads_little(module: str) -> None:
    loaded = f"import sys, {module}; print(*(name for name in {HEAVY[module]!r} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_what_lists_and_raw_requests_need_is_not_loaded_with_the_client() -> None:
    later = (
        *("plexypay_async.pagination", "plexypay_async._core.raw_request", "plexypay_async._wire.codec"),
        "plexypay_async.api.fields",
    )
    program = (
        "import sys\nfrom plexypay_async import AsyncPlexyPay\n"
        f"print(*(name for name in {later!r} if name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
