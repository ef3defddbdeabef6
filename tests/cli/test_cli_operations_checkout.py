"""Operations of the Checkout API as commands, against a server that answers what is published."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import KEY as SANDBOX_KEY
from tests.cli.ran import Ran

if TYPE_CHECKING:
    from .conftest import ServedSandbox

EXAMPLES = Path(__file__).parents[1] / "contract" / "checkout_examples"
KEY = "checkout-key-0123456789"
CARD = {
    "type": "scheme",
    "encryptedCardNumber": "test_4111111111111111",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}
SESSION = [
    *("checkout", "sessions", "create", "--reference", "ORD-1", "--return-url", "https://shop.example/back"),
    *("--amount", '{"currency": "KZT", "value": 10000}', "--yes"),
]


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"v2.{name}.json").read_text(encoding="utf-8"))


class Server(ThreadingHTTPServer):
    """Answers each request with `answer`, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 201
        self.answer: Any = None
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(content) if content else None
        self.server.requests.append((self.command, self.path, headers, body))
        answered = b"" if self.server.answer is None else json.dumps(self.server.answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library's

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as opened:
        threading.Thread(target=opened.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("PLEXYPAY_CHECKOUT_API_KEY", KEY)
        monkeypatch.setenv("PLEXYPAY_CHECKOUT_BASE_URL", opened.address)
        monkeypatch.setenv("PLEXYPAY_MERCHANT_ACCOUNT", "ShopKZ")
        yield opened
        opened.shutdown()


def test_a_session_is_made_and_its_data_is_not_printed(server: Server, run: Ran) -> None:
    amount = {"currency": "KZT", "value": 10000}
    server.answer = {
        **example("session"),
        "reference": "ORD-1",
        "amount": amount,
        "sessionData": "opaque-data",
    }
    assert run(*SESSION, "--country-code", "KZ", "--blocked-payment-methods", '["applepay"]') == 0, run.err
    assert run.document["id"] == server.answer["id"]
    assert run.document["amount"] == {"value": 10000, "currency": "KZT"}
    assert server.answer["sessionData"] not in run.out + run.err
    assert "not shown, as it may be secret: session_data" in run.err
    (method, path, headers, body) = server.requests[0]
    assert (method, path, headers["x-api-key"]) == ("POST", "/v2/sessions", KEY)
    assert run.err.startswith(f"plexypay: sent with --idempotency-key {headers['idempotency-key']}: ")
    assert body == {
        "merchantAccount": "ShopKZ",
        "amount": {"currency": "KZT", "value": 10000},
        "reference": "ORD-1",
        "returnUrl": "https://shop.example/back",
        "countryCode": "KZ",
        "blockedPaymentMethods": ["applepay"],
    }
    assert run(*SESSION, "--merchant-account", "ShopUZ", "--raw", "--show-secrets") == 0
    assert run.document == server.answer
    assert server.requests[1][3]["merchantAccount"] == "ShopUZ"


def test_what_the_browser_has_taken_comes_from_a_file_or_a_pipe(
    server: Server, run: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = example("payment-create-card.request")
    state = {"paymentMethod": given["paymentMethod"]}
    secret = json.dumps(given["paymentMethod"]["encryptedCardNumber"])
    server.answer = {**example("payment-authorised"), "merchantReference": "ORD-1"}
    server.answer["amount"] = {"currency": "KZT", "value": 10000}
    command = ["checkout", "payments", "create", *SESSION[3:]]
    assert run(*command, "--state-data", json.dumps(state)) == 2
    assert run.err == (
        "plexypay: --state-data: the list of processes would show it: give @FILE, or - for standard input;"
        " nothing was sent\n"
    )
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state))
    assert run(*command, "--state-data", f"@{file}") == 0, run.err
    assert run.document["result_code"] == "Authorised"
    assert secret not in run.out + run.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(state).encode())))
    assert run(*command, "--state-data", "-") == 0
    bodies = [body for _, _, _, body in server.requests]
    assert len(bodies) == 2
    assert all(body["paymentMethod"] == given["paymentMethod"] for body in bodies)
    state["amount"] = {"currency": "KZT", "value": 1}
    file.write_text(json.dumps(state))
    assert run(*command, "--state-data", f"@{file}") == 2
    assert run.err.startswith("plexypay: --state-data['amount']: no page may give this")


def test_what_only_reads_is_not_asked_about(server: Server, run: Ran) -> None:
    server.status, server.answer = 200, example("payment-methods.mock")
    assert run("checkout", "payment-methods", "list", "--country-code", "KZ") == 0, run.err
    assert run.document["payment_methods"]
    server.status, server.answer = 204, None
    assert run("checkout", "stored-payment-methods", "delete", "card-1", "--shopper-reference", "anna") == 2
    assert "changes something, and nobody is here to be asked" in run.err
    assert len(server.requests) == 1


@pytest.mark.parametrize(("name", "status"), [("error-idempotency", 409), ("error", 400)])
def test_an_error_of_the_api_is_told(server: Server, run: Ran, name: str, status: int) -> None:
    server.status, server.answer = status, example(name)
    code = 3 if status == 409 else 1
    assert run(*SESSION, "--timeout", "5") == code
    assert server.answer["error"]["message"] in run.err
    assert ("--idempotency-key" in run.err.splitlines()[-1]) == (code == 3)


def test_a_payment_of_unknown_outcome_is_made_once_by_the_same_key(
    served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLEXYPAY_CHECKOUT_API_KEY", SANDBOX_KEY)
    monkeypatch.setenv("PLEXYPAY_CHECKOUT_BASE_URL", served.base_url)
    monkeypatch.setenv("PLEXYPAY_MERCHANT_ACCOUNT", "ShopKZ")
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"paymentMethod": CARD}))
    pay = ["checkout", "payments", "create", *SESSION[3:], "--state-data", f"@{state}"]
    served.misbehave("operation=checkout.payments.create,cut=after,times=99")
    assert run(*pay, "--timeout", "0.5") == 3
    served.behave()
    key = run.err.splitlines()[0].split("--idempotency-key ")[1].partition(":")[0]
    assert run.err.splitlines()[-1].endswith(f"with --idempotency-key {key}, which does it once in all")
    references: set[str] = set()
    for _ in range(2):
        assert run(*pay, "--idempotency-key", key) == 0, run.err
        references.add(run.document["psp_reference"])
    assert len(references) == 1
    assert served.count("checkout.payments.create") >= 3


def test_a_server_that_quotes_the_key_does_not_tell_it(server: Server, run: Ran) -> None:
    server.status = 401
    server.answer = {"error": {"type": "authentication_error", "message": f"{KEY} is no key"}}
    assert run("checkout", "config", "retrieve") == 1
    assert "is no key" in run.err
    assert KEY not in run.err
    server.status, server.answer = 200, {"apiKey": KEY}
    assert run("checkout", "config", "retrieve", "--raw") == 0
    assert KEY not in run.out + run.err
