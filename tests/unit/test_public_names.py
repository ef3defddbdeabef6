"""What the packages export, and what importing them costs."""

from __future__ import annotations

import importlib.resources
import pkgutil
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import plexypay_async
import plexypay_sync
from plexypay_async import cards, errors, pay, webhooks
from plexypay_async.api.index import every_group
from plexypay_async.pay.description import PAY
from plexypay_async.webhooks import checkout, seen

# What the groups are declared with, and what goes through all of them.
INNER_ROOMS = {"client", "description", "direct_details", "links"}
API_ROOMS = sorted({module.name for module in pkgutil.iter_modules(pay.__path__)} - INNER_ROOMS)
# What a room has models of.
RESTS_ON = {
    "customers": {"transactions"},
    "payments": {"direct_payments", "transactions"},
    "recurring": {"transactions"},
}

both_packages = pytest.mark.parametrize(
    "package", [plexypay_async, plexypay_sync], ids=lambda package: package.__name__
)


def names_of(package: ModuleType) -> set[str]:
    """Return the names that a package exports; checkers see no list of them, but the names themselves."""
    return set(package.__all__)


def test_both_packages_export_the_same_names() -> None:
    assert names_of(plexypay_async) ^ names_of(plexypay_sync) == {
        "AsyncPages",
        *("AsyncPlexyCheckout", "AsyncPlexyGate", "AsyncPlexyPay"),
        *("Pages", "PlexyCheckout", "PlexyGate", "PlexyPay"),
    }


def test_shared_names_are_the_same_objects() -> None:
    for name in names_of(plexypay_async) & names_of(plexypay_sync):
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


@pytest.mark.parametrize(
    "room",
    [
        errors,
        cards,
        checkout,
        seen,
        webhooks,
        *(import_module(f"plexypay_async.pay.{name}") for name in API_ROOMS),
    ],
    ids=lambda room: room.__name__,
)
@both_packages
def test_every_public_name_of_a_room_is_exported(package: ModuleType, room: ModuleType) -> None:
    assert room.__all__
    assert room.__all__ == sorted(room.__all__)
    assert set(room.__all__) <= set(package.__all__)
    for name in room.__all__:
        assert getattr(package, name) is getattr(room, name)


def test_every_group_has_a_room_and_is_exported() -> None:
    groups = {group.group: group for group in every_group(PAY)}

    assert sorted(groups) == API_ROOMS
    for name, group in groups.items():
        assert group.__module__ == f"plexypay_async.pay.{name}"
        assert getattr(plexypay_async, group.__name__) is group


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
        timeout=120,
    )
    return set(ran.stdout.split())


HTTP = {"aiohttp", "yarl", "multidict", "plexypay_async._http.transport"}


@pytest.mark.parametrize(
    "statement",
    [
        "import plexypay_async, plexypay_sync",
        "import plexypay_async.errors",
        "import plexypay_async.api.fields",
        "import plexypay_async.api.operation",
        "import plexypay_async.pay.payment_links",
        "import plexypay_async._wire.codec",
        "import plexypay_async.settings",
        "import plexypay_async.webhooks",
        "from plexypay_async import PaymentOrderEvent, SeenWebhooks, TransactionEvent, WebhookReceiver",
        "from plexypay_sync import WebhookReceiver; WebhookReceiver('whk_0123456789abcdef')",
        "from plexypay_async import Card, CardPadding, EncryptedCard, StoredCard, encrypt_card",
        "from plexypay_async import DirectPayment, WaitForTransaction, WalletTransaction",
        "from plexypay_async import PaymentLink, CreatePaymentLink, PlexyPayError, RetryPolicy, Replay",
        "from plexypay_sync import PaymentLink, CreatePaymentLink, PlexyPayError, RetryPolicy, Replay",
    ],
)
def test_errors_and_models_load_no_http(statement: str) -> None:
    loaded = loaded_by(statement)

    assert not loaded & HTTP
    assert "cryptography" not in loaded
    assert "plexypay_async" in loaded


@pytest.mark.parametrize("room", API_ROOMS)
def test_a_name_loads_its_own_room_alone(room: str) -> None:
    names = import_module(f"plexypay_async.pay.{room}").__all__

    # It takes its names from `plexypay_async`, so that this is said of both.
    loaded = loaded_by(f"from plexypay_sync import {', '.join(names)}")

    rooms = {name.removeprefix("plexypay_async.pay.") for name in loaded if ".pay." in name}
    assert rooms - INNER_ROOMS == {room} | RESTS_ON.get(room, set())
    assert not loaded & HTTP


@pytest.mark.parametrize(
    "statement", ["from plexypay_async import AsyncPlexyPay", "from plexypay_sync import PlexyPay"]
)
def test_a_client_loads_no_more_than_it_needs(statement: str) -> None:
    loaded = loaded_by(statement)

    assert "aiohttp" in loaded
    rooms = {".".join(name.split(".")[1:2]) for name in loaded if name.startswith("plexypay_async.")}
    assert not rooms & {"bulk", "cli", "sandbox", "testing"}
    assert "plexypay_async._wire.codec" not in loaded
    assert not {f"plexypay_async.pay.{name}" for name in API_ROOMS} & loaded
    assert not loaded & {"cattrs", "sqlite3", "rich", "pytest"}
    # A fork amid its import would leave the child without it, so the sync facade has it before any thread.
    assert ("uvloop" in loaded) <= ("plexypay_sync" in statement)


def test_importing_starts_no_thread() -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import threading as t, plexypay_sync as p; p.PlexyPay('key'); assert t.active_count() == 1",
        ],
        check=True,
        timeout=120,
    )
