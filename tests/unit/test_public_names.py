"""What the packages export, and what importing them costs."""

from __future__ import annotations

import importlib.resources
import subprocess
import sys
from types import ModuleType

import pytest

import plexypay_async
import plexypay_sync
from plexypay_async import errors
from plexypay_async.api import payment_links

both_packages = pytest.mark.parametrize(
    "package", [plexypay_async, plexypay_sync], ids=lambda package: package.__name__
)


def test_both_packages_export_the_same_names() -> None:
    assert set(plexypay_async.__all__) ^ set(plexypay_sync.__all__) == {
        "AsyncPages",
        "AsyncPlexyPay",
        "Pages",
        "PlexyPay",
    }


def test_shared_names_are_the_same_objects() -> None:
    for name in set(plexypay_async.__all__) & set(plexypay_sync.__all__):
        assert getattr(plexypay_async, name) is getattr(plexypay_sync, name)


@both_packages
def test_every_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        value = getattr(package, name)
        assert getattr(value, "__name__", name) == name
        assert value.__doc__
    assert package.__all__ == sorted(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)


@both_packages
def test_dir_shows_every_name(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))
    assert "__name__" in dir(package)


@both_packages
def test_a_name_that_is_not_there(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Nope'"):
        _ = package.Nope
    assert not hasattr(package, "_private")


@both_packages
def test_a_star_import(package: ModuleType) -> None:
    names: dict[str, object] = {}
    exec(f"from {package.__name__} import *", names)

    assert set(package.__all__) <= set(names)


def test_every_error_and_every_model_is_exported() -> None:
    assert set(errors.__all__) <= set(plexypay_async.__all__)
    assert set(payment_links.__all__) - {"PaymentLinks"} <= set(plexypay_async.__all__)


@both_packages
def test_the_packages_are_typed(package: ModuleType) -> None:
    assert importlib.resources.files(package.__name__).joinpath("py.typed").is_file()


# ---------------------------------------------------------------------------------------------- imports


def loaded_by(statement: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after a statement."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(ran.stdout.split())


HTTP = {"aiohttp", "yarl", "multidict", "plexypay_async.transport"}


@pytest.mark.parametrize(
    "statement",
    [
        "import plexypay_async, plexypay_sync",
        "import plexypay_async.errors",
        "import plexypay_async.fields",
        "import plexypay_async.operation",
        "import plexypay_async.api.payment_links",
        "import plexypay_async.codec",
        "import plexypay_async.settings",
        "from plexypay_async import PaymentLink, CreatePaymentLink, PlexyPayError, RetryPolicy, Replay",
        "from plexypay_sync import PaymentLink, CreatePaymentLink, PlexyPayError, RetryPolicy, Replay",
    ],
)
def test_errors_and_models_load_no_http(statement: str) -> None:
    loaded = loaded_by(statement)

    assert not loaded & HTTP
    assert "plexypay_async" in loaded


@pytest.mark.parametrize(
    "statement", ["from plexypay_async import AsyncPlexyPay", "from plexypay_sync import PlexyPay"]
)
def test_a_client_loads_no_more_than_it_needs(statement: str) -> None:
    loaded = loaded_by(statement)

    assert "aiohttp" in loaded
    rooms = {".".join(name.split(".")[1:2]) for name in loaded if name.startswith("plexypay_async.")}
    assert not rooms & {"bulk", "cli", "codec", "sandbox", "testing"}
    assert "plexypay_async.api.payment_links" not in loaded
    assert not loaded & {"cattrs", "sqlite3", "rich", "uvloop", "pytest"}


def test_importing_starts_no_thread() -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import threading as t, plexypay_sync as p; p.PlexyPay('key'); assert t.active_count() == 1",
        ],
        check=True,
        timeout=30,
    )
