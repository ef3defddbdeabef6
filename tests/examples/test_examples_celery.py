"""The Celery tasks in a real worker: what they return, and how every error of the library comes back."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import plexypay_sync
from plexypay_async import errors as errors_module
from plexypay_sync import (
    APIError,
    Outcome,
    PlexyPayError,
    RefusedError,
    ServiceUnavailableError,
    UnreadableResponseError,
)
from tests.needs import needs

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the prefork pool needs fork"),
    needs("celery"),
]

EXAMPLES = Path(__file__).parents[2] / "examples"

FAILING = """
from celery_tasks import app

app.conf.accept_content = ["json", "pickle"]

@app.task(serializer="pickle")
def fail(error):
    raise error
"""

CREATING = """
import json, sys
from celery_tasks import create_link
orders = json.load(sys.stdin)
results = [create_link.delay(*order) for order in orders]
json.dump([result.get(timeout=60) for result in results], sys.stdout)
"""

RAISING = """
import pickle, sys
from failing_tasks import fail
results = [fail.delay(error) for error in pickle.load(sys.stdin.buffer)]
pickle.dump([result.get(timeout=60, propagate=False) for result in results], sys.stdout.buffer)
"""

CALLING = """
import pickle, sys
from celery_tasks import create_link
try:
    create_link.delay(sys.argv[1], int(sys.argv[2])).get(timeout=60)
except Exception as error:
    pickle.dump(error, sys.stdout.buffer)
"""

FIELDS: dict[type[PlexyPayError], dict[str, Any]] = {
    APIError: {"status": 503, "code": 1, "source": "keys", "type": "apiError", "retry_after": 2.5},
    RefusedError: {"code": "51"},
    UnreadableResponseError: {"status": 200, "body": "<html>"},
}


def every_error() -> list[PlexyPayError]:
    """Return one error of each public class, with something in each field."""
    errors: list[PlexyPayError] = []
    for name in sorted({*errors_module.__all__} - {"Outcome"}):
        cls = getattr(plexypay_sync, name)
        own = {key: value for base in FIELDS if issubclass(cls, base) for key, value in FIELDS[base].items()}
        error = cls(
            "what happened",
            outcome=Outcome.UNKNOWN,
            operation="payment_links.create",
            attempts=[ServiceUnavailableError("busy", status=503, code=1)],
            order_reference="ЗАКАЗ-1",
            **own,
        )
        error.idempotency_key = "3f1c"
        error.cursor = "p2-s100-0123456789ab"
        errors.append(error)
    return errors


class Shop:
    """A worker with its queue, and programs that call its tasks."""

    def __init__(self, start: Start, folder: Path, results: str) -> None:
        (folder / "failing_tasks.py").write_text(FAILING)
        self._start = start
        self._variables = {
            "SHOP_QUEUE": str(folder / "queue"),
            "SHOP_RESULTS": results,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(folder)]),
            # Else a worker that unpickles refuses to run as root, as it may in a container.
            "C_FORCE_ROOT": "1",
        }
        self.worker: Program = self._program(
            *("-W", "always::ResourceWarning", "-m", "celery", "-A", "failing_tasks", "worker"),
            *("--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO"),
        )
        self.worker.wait_for(lambda log: " ready." in log)

    def _program(self, *arguments: str) -> Program:
        return self._start(*arguments, **self._variables)

    def call(self, code: str, *arguments: str, given: bytes = b"") -> bytes:
        """Run a program that calls tasks, and return what it printed."""
        return self._program("-c", code, *arguments).output(given)

    def raise_all(self, errors: list[PlexyPayError]) -> list[Any]:
        """Let a task raise each of the errors, and return what comes back."""
        return list(pickle.loads(self.call(RAISING, given=pickle.dumps(errors))))


@pytest.fixture
def shop(start: Start, tmp_path: Path) -> Shop:
    """A shop whose results are pickled."""
    return Shop(start, tmp_path, "pickle")


def shown(error: PlexyPayError) -> dict[str, Any]:
    """Return all that there is to an error, the errors of its attempts included."""
    return {
        **vars(error),
        "attempts": [shown(attempt) for attempt in error.attempts],
        "class": type(error),
        "args": error.args,
        "text": str(error),
    }


def test_links_of_tasks(shop: Shop, served: ServedSandbox) -> None:
    orders = [[f"ORD-{number}", 100 * number] for number in range(1, 21)]

    # Each comes twice, as tasks sometimes do.
    urls = json.loads(shop.call(CREATING, given=json.dumps(orders * 2).encode()))

    links = {link["orderReference"]: link["url"] for link in served.links()}
    assert urls == [links[reference] for reference, _ in orders * 2]
    assert served.amounts() == {f"ORD-{number}": 100 * number for number in range(1, 21)}
    shop.worker.terminate()
    assert "Traceback" not in shop.worker.log
    assert "ResourceWarning" not in shop.worker.log


def test_an_error_of_a_call_arrives_with_all_that_it_knows(shop: Shop, served: ServedSandbox) -> None:
    served.ask("POST", "/faults", "code=1,times=1,operation=payment_links.create")
    served.ask("POST", "/faults", "status=403,operation=payment_links.create")

    error = pickle.loads(shop.call(CALLING, "ORD-1", "100"))

    assert type(error) is plexypay_sync.PermissionDeniedError
    assert (error.status, error.outcome, error.operation) == (
        403,
        Outcome.REJECTED,
        "payment_links.create",
    )
    assert error.order_reference == "ORD-1"
    (earlier,) = error.attempts
    assert isinstance(earlier, ServiceUnavailableError)
    assert earlier.code == 1
    # The caller's mistake is found before anything is sent.
    error = pickle.loads(shop.call(CALLING, "ORD-1", "-1"))
    assert (type(error), str(error)) == (
        plexypay_sync.ConfigurationError,
        "amount: must be positive, got -1",
    )
    shop.worker.terminate()
    assert served.amounts() == {}


def test_every_error_arrives_intact_where_results_are_pickled(shop: Shop) -> None:
    errors = every_error()

    arrived = shop.raise_all(errors)

    for error, other in zip(errors, arrived, strict=True):
        assert shown(other) == shown(error)
    shop.worker.terminate()


def test_every_error_keeps_its_type_and_text_where_results_are_json(start: Start, tmp_path: Path) -> None:
    shop = Shop(start, tmp_path, "json")
    errors = every_error()

    arrived = shop.raise_all(errors)

    assert [(type(error), str(error)) for error in arrived] == [(type(error), str(error)) for error in errors]
    shop.worker.terminate()
