"""`plexypay sandbox`: a server for programs in any language, until a signal."""

from __future__ import annotations

import hmac
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async.cli import main

if TYPE_CHECKING:
    from .conftest import ServedSandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


PROGRAM = """
import sys
from plexypay_async.cli import main, signals

# A slow machine is to end cleanly too.
signals.run_until_signal.__kwdefaults__["grace"] = 15
sys.exit(main(sys.argv[1:]))
"""


class Served:
    def __init__(self, process: subprocess.Popen[str], lines: int) -> None:
        assert process.stdout is not None
        self.process = process
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        self.greeting = [process.stdout.readline().rstrip("\n") for _ in range(lines)]
        watchdog.cancel()
        self.base_url = self.greeting[1].removeprefix("export PLEXYPAY_BASE_URL=")
        self.api_key = self.greeting[2].removeprefix("export PLEXYPAY_API_KEY=")
        self.webhook_token = self.greeting[3].removeprefix("export PLEXYPAY_WEBHOOK_TOKEN=")

    def ask(
        self, method: str, path: str, body: Any = None, *, authorization: str | None = None
    ) -> tuple[int, Any]:
        request = urllib.request.Request(
            self.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": authorization or self.api_key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def stop(self, received: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(received)
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return errors


@contextmanager
def serving(*arguments: str, lines: int = 4) -> Iterator[Served]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            PROGRAM,
            "sandbox",
            "--port=0",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Served(process, lines)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_serves_until_a_signal(
    received: signal.Signals, without_slow_steps: Callable[[str], str]
) -> None:
    with serving("--api-key", "key-of-mine") as served:
        assert served.api_key == "key-of-mine"
        assert served.base_url in served.greeting[0]
        status, link = served.ask("POST", "/v1/payment-links", {"amount": 100, "currency": "KZT"})
        assert (status, link["amount"]) == (201, 100)
        assert without_slow_steps(served.stop(received)) == ""


def test_what_is_no_http_is_told_in_a_line(without_slow_steps: Callable[[str], str]) -> None:
    with serving() as served:
        host, _, port = served.base_url.removeprefix("http://").partition(":")
        for request in (b"GET \x1b]0;title\x07 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\x1b[2J: x\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(request)
                assert connection.recv(1000).startswith(b"HTTP/1.")
        told = without_slow_steps(served.stop())
    assert [line.partition(":")[0] for line in told.splitlines()] == ["plexypay", "plexypay"]
    assert "\x1b" not in told


def test_a_database_survives_a_restart(tmp_path: Path) -> None:
    database = str(tmp_path / "links.sqlite")
    with serving("--database", database) as served:
        _, link = served.ask("POST", "/v1/payment-links", {"amount": 100, "currency": "KZT"})
        served.stop()
    with serving("--database", database) as served:
        assert served.ask("GET", f"/v1/payment-links/{link['id']}")[0] == 200
        served.stop()


def test_webhooks_are_delivered(without_slow_steps: Callable[[str], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        receiver.settimeout(30)
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}/hooks"
        with serving(
            "--webhook-url", url, "--webhook-token", "hook-token", "--fault", "delivery=never,times=1"
        ) as served:
            assert served.webhook_token == "hook-token"
            _, link = served.ask("POST", "/v1/payment-links", {"amount": 100, "currency": "KZT"})
            assert served.ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")[0] == 200
            connection, _ = receiver.accept()
            with connection:
                head = connection.recv(65536)
            assert head.startswith(b"POST /hooks HTTP/1.1\r\n")
            assert b"\r\nAuthorization: Bearer hook-token\r\n" in head
            _, page = served.ask("GET", "/_sandbox/deliveries")
            assert [delivery["event"] for delivery in page["data"]] == [
                "transaction.authorized",
                "transaction.created",
            ]
            assert page["data"][1]["state"] == "lost"
            assert without_slow_steps(served.stop()) == ""


def test_webhooks_of_the_checkout_api_are_signed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        receiver.settimeout(30)
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}/checkout"
        with serving("--checkout-webhook-url", url, lines=7) as served:
            base_url, api_key, secret = (line.partition("=")[2] for line in served.greeting[4:])
            assert (base_url, api_key) == (served.base_url, "sandbox-key")
            body = {
                "merchantAccount": "Shop",
                "amount": {"currency": "KZT", "value": 100},
                "reference": "ORD-1",
                "returnUrl": "http://localhost/",
            }
            request = urllib.request.Request(
                f"{base_url}/v2/sessions",
                data=json.dumps(body).encode(),
                headers={"x-api-key": api_key, "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                session = json.load(answer)
            assert served.ask("POST", f"/_sandbox/checkout-sessions/{session['id']}/pay")[0] == 200
            connection, _ = receiver.accept()
            with connection:
                head, _, content = connection.recv(65536).partition(b"\r\n\r\n")
            signature = hmac.new(secret.encode(), content, "sha256").hexdigest()
            assert f",v1={signature}\r\n".encode() in head + b"\r\n"
            served.stop()


def test_the_secret_that_was_given_is_not_printed_where_others_reach_it() -> None:
    given = ("--checkout-webhook-secret", "whsec_of-mine")
    with serving("--host", "0.0.0.0", *given, lines=8) as served:
        assert served.greeting[7] == (
            "# PLEXYPAY_CHECKOUT_WEBHOOK_SECRET is what --checkout-webhook-secret says"
        )
        assert "whsec_of-mine" not in served.stop()


def test_hosts_are_allowed_by_name() -> None:
    with serving("--webhook-host", "shop.internal") as served:
        for host in ("shop.internal", "other.internal"):
            metadata = {"callbackUrl": f"http://{host}:1/"}
            body = {"amount": 100, "currency": "KZT", "metadata": metadata}
            _, link = served.ask("POST", "/v1/payment-links", body)
            served.ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")
        _, page = served.ask("GET", "/_sandbox/deliveries")
        assert [delivery["state"] for delivery in page["data"]] == ["refused"] * 2 + ["pending"] * 2
        served.stop()


def test_refused_addresses_are_told_of_once_each(without_slow_steps: Callable[[str], str]) -> None:
    with serving() as served:
        for address in (
            "http://127.0.0.1:6379/orders/1",
            "http://127.0.0.1:6379/orders/2",
            "http://shop:1/\x1b[2J",
        ):
            metadata = {"callbackUrl": address}
            body = {"amount": 100, "currency": "KZT", "metadata": metadata}
            _, link = served.ask("POST", "/v1/payment-links", body)
            served.ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")
        told = without_slow_steps(served.stop()).splitlines()
    assert told[0] == (
        "plexypay: no webhook goes to http://127.0.0.1:6379: port 6379 of this machine is not open to"
        " webhooks; allow it with webhook_ports=[6379] or --webhook-port 6379"
    )
    assert len(told) == 2
    assert "\x1b" not in told[1]


def test_ports_are_allowed_by_number() -> None:
    with serving("--webhook-port", "7001", "--webhook-url", "http://localhost:7002/") as served:
        for port in (7001, 7002, 8791, 6379):
            metadata = {"callbackUrl": f"http://127.0.0.1:{port}/"}
            body = {"amount": 100, "currency": "KZT", "metadata": metadata}
            _, link = served.ask("POST", "/v1/payment-links", body)
            served.ask("POST", f"/_sandbox/payment-links/{link['id']}/pay")
        _, page = served.ask("GET", "/_sandbox/deliveries")
        states = [delivery["state"] for delivery in page["data"]]
        assert states[:2] == ["refused"] * 2
        assert "refused" not in states[2:]
        assert "--webhook-port 6379" in page["data"][0]["reason"]
        served.stop()


def test_a_sandbox_that_others_reach_warns_and_makes_keys_of_its_own() -> None:
    with serving("--host", "0.0.0.0", lines=5) as served:
        token = served.greeting[4].removeprefix("export PLEXYPAY_SANDBOX_TOKEN=")
        assert len({token, served.api_key, "sandbox-key"}) == 3
        assert served.webhook_token == served.api_key
        assert served.ask("GET", "/v1/payment-links")[0] == 200
        assert served.ask("GET", "/v1/payment-links", authorization="sandbox-key")[0] == 401
        assert served.ask("GET", "/_sandbox/clock")[0] == 401
        assert served.ask("GET", "/_sandbox/clock", authorization=f"Bearer {token}")[0] == 200
        told = served.stop()
    assert told.startswith("plexypay: --host 0.0.0.0: others can reach this sandbox, by plain HTTP")
    assert token not in told


def test_keys_that_were_given_are_not_printed_where_others_reach_it() -> None:
    given = ("--api-key", "key-of-mine", "--admin-token", "token-of-mine")
    with serving("--host", "0.0.0.0", *given, lines=5) as served:
        assert served.greeting[2:] == [
            "# PLEXYPAY_API_KEY is what --api-key says",
            "# PLEXYPAY_WEBHOOK_TOKEN is what --api-key says",
            "# PLEXYPAY_SANDBOX_TOKEN is what --admin-token says",
        ]
        assert served.ask("GET", "/v1/payment-links", authorization="key-of-mine")[0] == 200
        assert served.ask("GET", "/_sandbox/clock", authorization="Bearer token-of-mine")[0] == 200
        told = served.stop()
    assert "key-of-mine" not in told
    assert "token-of-mine" not in told


def test_names_are_allowed() -> None:
    with serving("--allowed-host", "sandbox") as served:
        port = served.base_url.rpartition(":")[2]
        for name, status in (("sandbox", b"200"), ("elsewhere", b"403")):
            with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as connection:
                connection.sendall(b"GET /_sandbox HTTP/1.1\r\nHost: %b:1\r\n\r\n" % name.encode())
                assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)
        served.stop()


@pytest.mark.parametrize("is_sandbox", [True, False, None])
def test_other_commands_say_that_they_talk_to_a_sandbox(
    served: ServedSandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_sandbox: bool | None,
) -> None:
    monkeypatch.setattr(AsyncPlexyPay, "is_sandbox", is_sandbox, raising=False)
    orders, journal = tmp_path / "orders.csv", str(tmp_path / "orders.journal")
    orders.write_text("amount,currency,order_reference\n100,KZT,S-1\n", encoding="utf-8")
    assert main(["bulk-create", str(orders), "--journal", journal]) == 0
    told = capsys.readouterr().err
    assert ("this was a sandbox, not Plexy Pay" in told) == (is_sandbox is True)
    assert main(["reconcile", str(orders), "--journal", journal]) == 0
    told = capsys.readouterr().err
    assert ("this is a sandbox's account, not one of Plexy Pay" in told) == (is_sandbox is True)
    assert main(["reconcile", str(orders), "--journal", journal, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sandbox"] is is_sandbox


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--webhook-url", "shop", "http or https"), ("--webhook-host", "http://shop/", "host names")],
)
def test_a_webhook_that_goes_nowhere_is_named(
    option: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sandbox", "--port", "0", option, value]) == 2
    assert told in capsys.readouterr().err


def test_faults_strike() -> None:
    with serving("--fault", "code=1,times=1", "--fault", "code=2,times=1", "--seed", "7") as served:
        link = {"amount": 100, "currency": "KZT"}
        assert [served.ask("POST", "/v1/payment-links", link)[0] for _ in range(3)] == [503, 500, 201]
        served.stop()


def test_a_hanging_request_does_not_delay_the_end() -> None:
    with serving("--fault", "hang=true") as served:
        host, port = served.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = f"Host: localhost\r\nAuthorization: {served.api_key}\r\n\r\n"
            connection.sendall(b"GET /v1/payment-links HTTP/1.1\r\n" + head.encode())
            while served.ask("GET", "/_sandbox/requests")[1] in ({}, []):
                time.sleep(0.01)
            assert "Traceback" not in served.stop()


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["sandbox", "--port", str(port)]) == 2
        told = capsys.readouterr().err
        assert f"cannot serve on 127.0.0.1:{port}" in told
        assert "; choose another --port, or 0 for a free one" in told


def test_an_address_of_another_machine_has_no_better_port(capsys: pytest.CaptureFixture[str]) -> None:
    # Of a network that is kept for documentation.
    assert main(["sandbox", "--host", "192.0.2.1", "--port", "0"]) == 2
    told = capsys.readouterr().err
    assert "cannot serve on 192.0.2.1:0" in told
    assert "--port" not in told


def test_a_bad_fault_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--port", "0", "--fault", "code=one"]) == 2
    assert "--fault: code" in capsys.readouterr().err


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of SQLite's, and long enough to be sure of it " * 20)
    assert main(["sandbox", "--port", "0", "--database", str(path)]) == 2
    assert "is not an SQLite database" in capsys.readouterr().err
    assert main(["sandbox", "--port", "0", "--database", str(tmp_path / "no" / "links.sqlite")]) == 2
    assert "no/links.sqlite: there is no such folder" in capsys.readouterr().err
