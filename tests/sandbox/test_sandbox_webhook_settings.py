"""What webhooks may be told: where they go, and where they do not."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from plexypay_async._privacy.secret import Secret
from plexypay_async.cli import listen
from plexypay_async.errors import ConfigurationError
from plexypay_async.sandbox import Sandbox
from plexypay_async.sandbox.deliveries.settings import DEVELOPMENT_PORTS, WebhookSettings


def settings(**given: Any) -> WebhookSettings:
    return WebhookSettings(
        **{
            "url": None,
            "token": Secret("t"),
            "hosts": (),
            "ports": (),
            "pauses": (1,),
            "timeout": 1.0,
            **given,
        }
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "https://LOCALHOST:8443/a?b=c",
        "http://shop.localhost:8000",
        "http://localhost./",
        "http://127.0.0.1:1",
        "http://127.9.9.9/",
        "http://[::1]:80/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0:8000/",
    ],
)
def test_this_machine(url: str) -> None:
    assert settings(ports=["*"]).refusal(url) is None


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:6379/", 6379),
        ("http://localhost:2375/containers/create", 2375),
        ("http://[::1]:9200/", 9200),
        ("http://[::ffff:127.0.0.1]:6379/", 6379),
        ("http://0.0.0.0:6379/", 6379),
        ("http://127.0.0.1/", 80),
        ("https://shop.localhost/", 443),
    ],
)
def test_ports_of_this_machine(url: str, port: int) -> None:
    told = (
        f"port {port} of this machine is not open to webhooks; allow it with webhook_ports=[{port}] or"
        f" --webhook-port {port}"
    )
    # A host says nothing of its ports.
    for given in ({}, {"hosts": ["*"]}, {"hosts": ["127.0.0.1", "::1", "localhost"]}, {"ports": [1]}):
        assert settings(**given).refusal(url) == told
    assert settings(ports=[port]).refusal(url) is None
    assert settings(url=f"http://localhost:{port}/a").refusal(url) is None
    # The port of another machine is none of this one.
    assert settings(url=f"https://hooks.example:{port}/a").refusal(url) == told


@pytest.mark.parametrize("port", DEVELOPMENT_PORTS)
def test_ports_of_servers_under_development(port: int) -> None:
    assert settings().refusal(f"http://127.0.0.1:{port}/hooks") is None


def test_the_port_of_the_listening_command_is_open() -> None:
    parser = argparse.ArgumentParser()
    listen.configure(parser)
    assert parser.parse_args([]).port in DEVELOPMENT_PORTS


def test_nothing_is_sent_to_the_sandbox_itself() -> None:
    given = settings(ports=["*"], hosts=["*"], url="http://localhost:8790/")
    given.own_port = 8790
    for host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0"):
        assert given.refusal(f"http://{host}:8790/") == "port 8790 of this machine is the sandbox itself"
    assert given.refusal("http://localhost:8791/") is None


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/",
        "http://localhost.shop.example/",
        "http://notlocalhost/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1]/",
        "http://127.0.0.1.shop.example/",
        "http://2130706433/",
        "http://0x7f.1/",
    ],
)
def test_other_machines(url: str) -> None:
    told = settings().refusal(url)
    assert told is not None
    assert "is not this machine; allow it with webhook_hosts=" in told
    assert settings(hosts=["*"]).refusal(url) is None


@pytest.mark.parametrize(
    "url",
    ["ftp://localhost/", "localhost:80", "/hook", "", "http:///hook", "http://[::1", "file:///etc/passwd"],
)
def test_what_is_no_address(url: str) -> None:
    told = settings(hosts=["*"]).refusal(url)
    assert told == f"expected an http or https address, got {url!r}"


def test_an_address_with_a_password() -> None:
    told = settings().refusal("http://user:secret@localhost/")
    assert told is not None
    assert "user or password" in told
    assert "secret" not in told


def test_hosts_that_are_allowed() -> None:
    allowed = settings(hosts=["Shop.Internal", "10.0.0.7", "::2"], url="https://hooks.example/a")
    for url in (
        "http://shop.internal:8000/a",
        "http://10.0.0.7/",
        "http://[::2]/",
        "https://hooks.example/b",
    ):
        assert allowed.refusal(url) is None
    assert allowed.refusal("http://a.shop.internal/") is not None
    allowed.url = None
    assert allowed.refusal("https://hooks.example/b") is not None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (
            {"webhook_url": "shop.example"},
            "webhook_url: expected an http or https address, got 'shop.example'",
        ),
        ({"webhook_url": ""}, "webhook_url: expected an http"),
        ({"webhook_url": "http://u:p@localhost"}, "webhook_url: holds a user or password"),
        ({"webhook_url": 7}, "webhook_url: expected an http or https address, got 7"),
        ({"webhook_token": ""}, "webhook_token: expected printable ASCII"),
        ({"webhook_token": "a\nb"}, "webhook_token: "),
        ({"webhook_token": " a"}, "webhook_token: "),
        ({"webhook_token": 7}, "webhook_token: "),
        ({"webhook_hosts": "shop.example"}, "webhook_hosts: expected several"),
        ({"webhook_hosts": ["http://shop.example/"]}, "webhook_hosts: expected host names"),
        ({"webhook_hosts": [""]}, "webhook_hosts: "),
        ({"webhook_ports": 8000}, "webhook_ports: expected several"),
        ({"webhook_ports": "*"}, "webhook_ports: expected several"),
        ({"webhook_ports": [0]}, "webhook_ports: expected numbers from 1 to 65535 or '*', got 0"),
        ({"webhook_ports": [True]}, "webhook_ports: "),
        ({"webhook_ports": ["80"]}, "webhook_ports: "),
        ({"webhook_pauses": [-1]}, "webhook_pauses: expected seconds from 0, got -1"),
        ({"webhook_pauses": [float("inf")]}, "webhook_pauses: "),
        ({"webhook_pauses": ["5"]}, "webhook_pauses: "),
        ({"webhook_pauses": 5}, "webhook_pauses: expected several"),
        ({"webhook_timeout": 0}, "webhook_timeout: must be positive"),
        ({"webhook_timeout": True}, "webhook_timeout: "),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Sandbox(**given)
    assert str(raised.value).startswith(named)


def test_settings_that_are_changed() -> None:
    sandbox = Sandbox(api_key="k")
    assert (sandbox.webhook_url, sandbox.webhook_token) == (None, "k")
    sandbox.webhook_url = "http://localhost/a"
    with pytest.raises(ConfigurationError, match="webhook_url"):
        sandbox.webhook_url = "a"
    with pytest.raises(ConfigurationError, match="webhook_token"):
        sandbox.webhook_token = ""
    assert (sandbox.webhook_url, sandbox.webhook_token) == ("http://localhost/a", "k")
