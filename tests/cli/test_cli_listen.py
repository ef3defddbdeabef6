"""`plexypay listen`: events shown as they come, over a real socket, until a signal."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexypay_async.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

EXAMPLES = Path(__file__).parents[1] / "contract" / "examples"
TRANSACTION = (EXAMPLES / "webhook-transaction.json").read_bytes()
PAYMENT_ORDER = (EXAMPLES / "webhook-payment-order.json").read_bytes()
TOKEN = "whk_0123456789abcdef"

PROGRAM = """
import os, sys
from plexypay_async.cli import main, signals
from plexypay_async.sandbox import listener

# A slow machine is to end cleanly too.
signals.run_until_signal.__kwdefaults__["grace"] = 15
if "BOUNDS" in os.environ:
    limit, timeout = os.environ["BOUNDS"].split()
    listener.webhook_listener.__wrapped__.__kwdefaults__.update(limit=int(limit), timeout=float(timeout))
sys.exit(main(sys.argv[1:]))
"""


class Listening:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.events, self.errors = process.stdout, process.stderr
        self.greeting = process.stderr.readline()
        self.address = self.greeting.split("listening on http://")[1].split(";")[0]

    def deliver(
        self,
        body: bytes,
        authorization: str | None = f"Bearer {TOKEN}",
        path: str = "/webhooks",
        **headers: str,
    ) -> int:
        if authorization is not None:
            headers = {"Authorization": authorization, **headers}
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status

    def next_line(self) -> str:
        """Return the next line of the output, which must be there by now or soon."""
        assert select.select([self.events], [], [], 30)[0], "nothing was shown"
        return self.events.readline()

    def stop(self, received: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
        self.process.send_signal(received)
        told = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return told


@contextmanager
def listening(*arguments: str, token: str | None = TOKEN, bounds: str | None = None) -> Iterator[Listening]:
    unset = ("PLEXYPAY_WEBHOOK_TOKEN", "PYTHONUNBUFFERED")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    if token is not None:
        environment["PLEXYPAY_WEBHOOK_TOKEN"] = token
    if bounds is not None:
        environment["BOUNDS"] = bounds
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, "listen", "--port=0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        try:
            yield Listening(process)
        finally:
            if process.poll() is None:
                process.kill()


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_events_until_a_signal(
    received: signal.Signals, without_slow_steps: Callable[[str], str]
) -> None:
    with listening() as listener:
        assert listener.address.startswith("127.0.0.1:")
        assert listener.greeting.endswith("; stop with Ctrl-C\n")
        assert listener.deliver(TRANSACTION) == 200
        # The line was written before the answer.
        time, shown = listener.next_line().split(" ", 1)
        assert shown == "transaction.charged txn_abcdef123456 payment charged 1000 USD order INV-1001\n"
        assert abs(datetime.now(UTC) - moment(time)) < timedelta(minutes=10)
        assert listener.deliver(PAYMENT_ORDER, authorization=TOKEN, path="/") == 200
        assert listener.next_line().endswith(
            " payment_order.created 4854228f-7246-41c3-9b2d-b44aa629ffac created 10000 KZT\n"
        )
        output, errors = listener.stop(received)
        assert (output, without_slow_steps(errors)) == ("", "")


def test_json_lines_hold_the_whole_event() -> None:
    hostile = json.dumps({"name": "new\u001b[31m", "data": {"note": "\u202e\n\u2028\x7f\x9b"}}).encode()
    with listening("--json") as listener:
        for body in (TRANSACTION, hostile):
            assert listener.deliver(body) == 200
        output, _ = listener.stop()

    assert output.isascii()
    assert output.replace("\n", "").isprintable()
    first, second = (json.loads(line) for line in output.splitlines())
    assert set(first) == {"received_at", "dedupe_key", "event"}
    assert moment(first["received_at"])
    assert first["dedupe_key"].startswith("transaction.charged:txn_abcdef123456:")
    assert [first["event"], second["event"]] == [json.loads(TRANSACTION), json.loads(hostile)]


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    body = {"name": "transaction.charged", "data": {"id": "t", "merchantReference": "\x1b[2J\n\u202eA"}}
    with listening() as listener:
        assert listener.deliver(json.dumps(body).encode()) == 200
        assert listener.deliver(b'{"name": "a\\nb"}') == 200
        output, _ = listener.stop()

    charged, unknown = output.splitlines()
    assert charged.endswith("transaction.charged t charged order \\x1b[2J\\n\\u202eA")
    assert unknown.endswith(" a\\nb (unknown to this version; --json shows all of it)")


def test_what_is_refused_is_told_without_secrets() -> None:
    with listening() as listener:
        assert listener.deliver(TRANSACTION, authorization=None) == 401
        assert listener.deliver(TRANSACTION, authorization="Bearer not-the-token") == 401
        assert listener.deliver(b"{}") == 400
        assert listener.deliver(b"x" * (2**20 + 1)) == 400
        assert listener.deliver(b"x" * (2**20 + 2)) == 413
        output, errors = listener.stop()

    refused = "plexypay: refused a delivery from 127.0.0.1 with"
    told = [line for line in errors.splitlines() if line.startswith("plexypay")]
    assert told == [
        f"{refused} 401: there is no Authorization header",
        f"{refused} 401: the Authorization header does not carry an expected token",
        f"{refused} 400: name: is missing",
        f"{refused} 400: the body has 1048577 bytes; an event has at most 1048576",
        f"{refused} 413: the body has more than 1048576 bytes",
    ]
    assert output == ""
    assert TOKEN not in errors
    assert "not-the-token" not in errors


def test_what_is_no_delivery_breaks_nothing() -> None:
    with listening() as listener:
        host, port = listener.address.split(":")
        begun = "POST / HTTP/1.1\r\nHost: x\r\n"
        for sent in (
            f"{begun}Authorization: {TOKEN}\r\nContent-Length: 99\r\n\r\n{{",
            f"{begun}Authorization: {TOKEN}\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
            f"{begun}Authorization {TOKEN}\r\n\r\n",
            f"{begun}Authorization: {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "\x16\x03\x01\r\n\r\n",
        ):
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                connection.sendall(sent.encode())
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
        with closing(http.client.HTTPConnection(listener.address, timeout=30)) as visitor:
            visitor.request("GET", "/")
            assert visitor.getresponse().status == 405
        assert listener.deliver(TRANSACTION) == 200
        output, errors = listener.stop()

    assert output.count("\n") == 1
    refused = "refused a delivery from 127.0.0.1 with 400"
    assert errors.count(f"{refused}: the connection was closed before the whole body had come") == 1
    assert errors.count(f"{refused}: the body cannot be decoded") == 1
    assert "Traceback" not in errors
    assert TOKEN not in errors


# ------------------------------------------------------------------------------- what is held, how long


def open_and_send(listener: Listening, sent: bytes) -> socket.socket:
    host, port = listener.address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(sent)
    return connection


def until_closed(connection: socket.socket, drip: bytes = b"") -> bytes:
    """Send a byte now and then until the other end has closed; return what it sent before."""
    received = b""
    with connection:
        connection.settimeout(0.05 if drip else 30)
        while True:
            try:
                data = connection.recv(4096)
                received += data
                if not data:
                    return received
            except TimeoutError:
                assert drip, "it was not let go"
                with suppress(ConnectionError):
                    connection.sendall(drip)
            except ConnectionError:
                return received


HEAD = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        ("", ""),
        ("POST / HT", ""),
        (HEAD, ""),
        (HEAD + "X-More: ", "x"),
        (HEAD, "X: y\r\n"),
        (HEAD + "Content-Length: 1000\r\n\r\n{", ""),
        (HEAD + "Content-Length: 1000\r\n\r\n{", " "),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
    ],
    ids=["nothing", "line", "head", "drops of a header", "headers", "body", "drops of a body", "chunks"],
)
def test_a_request_that_does_not_come_to_its_end_is_let_go(sent: str, drip: str) -> None:
    with listening(bounds="100 0.6") as listener:
        began = time.monotonic()
        received = until_closed(open_and_send(listener, sent.encode()), drip.encode())
        assert 0.4 < time.monotonic() - began < 15
        assert b" 200 " not in received
        assert listener.deliver(TRANSACTION) == 200
        output, errors = listener.stop()
    assert output.count("\n") == 1
    assert "plexypay: closed a connection from 127.0.0.1: its request was not complete after 0.6 s" in errors
    assert TOKEN not in errors
    assert "Traceback" not in errors


def test_it_holds_so_many_connections_and_lets_the_oldest_go() -> None:
    with listening(bounds="5 600") as listener:
        waiting = [open_and_send(listener, HEAD.encode()) for _ in range(12)]
        # One more than the five takes the place of the oldest, and is served.
        assert listener.deliver(TRANSACTION) == 200
        for connection in waiting[:8]:
            assert until_closed(connection) == b""
        for connection in waiting[8:]:
            connection.sendall(b"Content-Length: 2\r\n\r\n{}")
            assert until_closed(connection).startswith(b"HTTP/1.1 400 ")
        _, errors = listener.stop()
    assert errors.count("closed a connection from 127.0.0.1: there are more than 5, and it was the") == 8


def test_a_connection_is_closed_after_its_answer() -> None:
    with listening(bounds="5 600") as listener:
        body = TRANSACTION.decode()
        whole = f"{HEAD}Content-Length: {len(TRANSACTION)}\r\n\r\n{body}".encode()
        for sent, status in (
            (whole, b"200"),
            (whole.replace(b"POST", b"GET"), b"405"),
            (b"\0\r\n\r\n", b"400"),
        ):
            received = until_closed(open_and_send(listener, sent))
            assert received.partition(b" ")[2].startswith(status)
            assert received.startswith(b"HTTP/1.0 ") or b"Connection: close" in received
        listener.stop()


def test_a_body_that_does_not_end_or_unpacks_to_too_much_is_refused() -> None:
    bomb = zlib.compressobj(wbits=31)
    packed = b"".join(bomb.compress(bytes(2**20)) for _ in range(256)) + bomb.flush()
    with listening() as listener:
        assert listener.deliver(packed, **{"Content-Encoding": "gzip"}) == 413
        endless = open_and_send(listener, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        with endless:
            chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
            with suppress(ConnectionError):
                for _ in range(17):
                    endless.sendall(chunk)
            assert endless.recv(4096).startswith(b"HTTP/1.1 413 ")
        memory = Path(f"/proc/{listener.process.pid}/status")
        if memory.exists():
            peak = next(line for line in memory.read_text().splitlines() if line.startswith("VmHWM"))
            assert int(peak.split()[1]) < 200_000, "KiB"
        _, errors = listener.stop()
    assert errors.count("413: the body has more than 1048576 bytes") == 2


def test_several_tokens_and_no_environment() -> None:
    with listening("--token", "2025-zx9q", "--token", "2026-zx9q", token=TOKEN) as listener:
        assert [
            listener.deliver(TRANSACTION, authorization=each) for each in ("2025-zx9q", "2026-zx9q", TOKEN)
        ] == [
            200,
            200,
            401,
        ]
        listener.stop()


def test_it_ends_when_nobody_reads() -> None:
    with listening() as listener:
        listener.events.close()
        assert listener.deliver(TRANSACTION) == 503
        assert listener.process.wait(30) == 0
        assert "Traceback" not in listener.errors.read()


def test_without_a_token_it_does_not_listen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (None, ""):
        monkeypatch.delenv("PLEXYPAY_WEBHOOK_TOKEN", raising=False)
        if value is not None:
            monkeypatch.setenv("PLEXYPAY_WEBHOOK_TOKEN", value)
        assert main(["listen", "--port", "0"]) == 2
        told = capsys.readouterr().err
        assert told == (
            "plexypay: no token: set the environment variable PLEXYPAY_WEBHOOK_TOKEN, or give --token\n"
        )


@pytest.mark.parametrize("token", ["Bearer secret-abc", "tökén-abc"])
def test_a_token_that_cannot_be_one(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--port", "0", "--token", token]) == 2
    told = capsys.readouterr().err
    assert told.startswith("plexypay: tokens: ")
    assert "abc" not in told


def test_an_address_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["listen", "--port", str(port), "--token", TOKEN]) == 2
    told = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}: " in told
    assert "; choose another --port, or 0 for a free one" in told
    assert main(["listen", "--host", "192.0.2.1", "--port", "0", "--token", TOKEN]) == 2
    assert "cannot listen on 192.0.2.1:0: " in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "x", "٣"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["listen", f"--port={port}"])
    assert "expected a port from 0 to 65535" in capsys.readouterr().err


def test_its_help_names_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["listen", "--help"])
    told = capsys.readouterr().out

    for word in ("PLEXYPAY_WEBHOOK_TOKEN", "--token", "--host", "--json", "8791", "127.0.0.1"):
        assert word in told
