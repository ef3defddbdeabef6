"""Settings: what a client may be told, and that it never shows its key."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, Outcome, RetryPolicy
from plexypay_async.pay.description import PAY
from plexypay_async.settings import Settings, check_base_url, check_paths, is_loopback
from plexypay_sync import PlexyPay
from tests.frames import exposures

KEY = "pr_0123456789abcdef0123456789abcdef"
Client = Callable[..., Any]
both_facades = pytest.mark.parametrize("client", [AsyncPlexyPay, PlexyPay])


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    monkeypatch.delenv("PLEXYPAY_BASE_URL", raising=False)


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {
        "base_url": None,
        "timeout": 60.0,
        "connect_timeout": 5.0,
        "read_timeout": 30.0,
        "max_connections": 100,
        "retry": RetryPolicy(),
        "paths": None,
        "trust_env": False,
        **changes,
    }
    return Settings.of(PAY, given.pop("api_key", KEY), **given)


# ------------------------------------------------------------------------------------------ environment


@both_facades
def test_a_client_needs_a_key(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no API key: pass api_key or set PLEXYPAY_API_KEY"):
        client()
    monkeypatch.setenv("PLEXYPAY_API_KEY", "")
    with pytest.raises(ConfigurationError, match="no API key"):
        client()


def test_the_environment_is_asked_for_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXYPAY_API_KEY", "from-the-environment")
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "https://env.example/api/")

    assert settings(api_key=None).current_key().reveal() == "from-the-environment"
    assert settings().current_key().reveal() == KEY
    assert settings().base_url == "https://env.example/api"
    assert settings(base_url="https://given.example").base_url == "https://given.example"


@both_facades
def test_the_environment_is_checked_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "http://env.example")
    with pytest.raises(ConfigurationError, match="base_url: plain http"):
        client(KEY)
    for empty in ("", " "):
        monkeypatch.setenv("PLEXYPAY_BASE_URL", empty)
        with pytest.raises(ConfigurationError, match="PLEXYPAY_BASE_URL is empty"):
            client(KEY)
    monkeypatch.delenv("PLEXYPAY_BASE_URL")
    assert client(KEY).__repr__().endswith(f" {PAY.base_url}>")
    monkeypatch.setenv("PLEXYPAY_API_KEY", "two\twords")
    with pytest.raises(ConfigurationError, match="api_key: "):
        client()


# -------------------------------------------------------------------------------------------- base URLs


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.plexypay.com", "https://api.plexypay.com"),
        ("https://api.plexypay.com/", "https://api.plexypay.com"),
        ("HTTPS://API.PlexyPay.com/prefix//", "https://api.plexypay.com/prefix"),
        ("https://api.plexypay.com:8443", "https://api.plexypay.com:8443"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_urls(given: str, kept: str) -> None:
    assert check_base_url(given) == kept


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (5, "expected a string"),
        (b"https://api.plexypay.com", "expected a string"),
        ("", "base_url: must not be empty; without it, the environment is asked"),
        (" \n", "base_url: must not be empty"),
        ("api.plexypay.com", "expected https://HOST"),
        ("https://", "expected https://HOST"),
        ("https:///v1", "expected https://HOST"),
        ("ftp://api.plexypay.com", "expected https://HOST"),
        ("http://127.0.0.1@evil.example", "user name"),
        ("https://user:secret@api.plexypay.com", "user name"),
        ("https://:secret@api.plexypay.com", "user name"),
        ("https://@api.plexypay.com", "user name"),
        ("https://api.plexypay.com?a=secret", "query or a fragment"),
        ("https://api.plexypay.com/#secret", "query or a fragment"),
        ("https://api.plexypay.com:99999", "base_url: "),
        ("https://api.plexypay.com:x", "base_url: "),
        ("https://[::1", "base_url: "),
        ("https://api.plexypay.com/a b", "percent-encoded"),
        ("https://api.plexypay.com/путь", "percent-encoded"),
        ("https://пример.рф", "base_url: "),
        ("https://api.plexypay.com\n", "percent-encoded"),
        ("https://api.plexypay.com\\@evil.example", "base_url: "),
    ],
)
def test_what_is_no_base_url(given: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        check_base_url(given)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "http://api.plexypay.com",
        "http://10.0.0.1",
        "http://0.0.0.0:80",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://[2001:db8::1]",
    ],
)
def test_plain_http_is_for_this_machine(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^base_url: plain http") as caught:
        settings(base_url=given)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("example.com", False),
        ("localhost.example.com", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


# ------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", ["k", KEY, "!~", "Bearer:x"])
def test_keys(key: str) -> None:
    assert settings(api_key=key).current_key().reveal() == key


@pytest.mark.parametrize(
    "key", ["", " secret", "secret\n", "secret\r\nX: y", "sécret", "ключ", "secret\x00", b"secret", 5]
)
def test_what_is_no_key(key: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^api_key: ") as caught:
        settings(api_key=key)
    assert "ecret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"^api_key: ") as caught:
        settings(api_key=lambda: key).current_key()
    assert "ecret" not in str(caught.value)


def test_a_key_function_is_asked_each_time() -> None:
    keys = iter(["first", "second"])
    rotating = settings(api_key=lambda: next(keys))

    assert [rotating.current_key().reveal(), rotating.current_key().reveal()] == ["first", "second"]


def test_what_a_key_function_raises_is_the_cause_of_a_configuration_error() -> None:
    raised = LookupError("no vault")

    def from_vault() -> str:
        held = KEY
        raise raised from KeyError(len(held))

    with pytest.raises(
        ConfigurationError, match=r"^api_key: the function that returns it raised LookupError$"
    ) as caught:
        settings(api_key=from_vault).current_key()
    assert caught.value.__cause__ is raised
    assert caught.value.outcome is Outcome.NOT_SENT
    # Their frames hold what the vault gave: what is left says where it was.
    assert raised.__traceback__ is None
    assert isinstance(raised.__cause__, KeyError)
    assert raised.__cause__.__traceback__ is None
    (place,) = raised.__notes__
    assert re.fullmatch(r"raised in .*test_settings\.py, line \d+, in from_vault", place)
    assert exposures(caught.value, [KEY]) == []


def test_an_error_of_the_librarys_in_a_key_function_is_told() -> None:
    def from_vault() -> str:
        raise ConfigurationError("no such profile")

    with pytest.raises(ConfigurationError, match=r"raised ConfigurationError: no such profile$"):
        settings(api_key=from_vault).current_key()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes_a_key_function(kind: type[BaseException]) -> None:
    def ended() -> str:
        raise kind

    with pytest.raises(kind):
        settings(api_key=ended).current_key()


@both_facades
def test_the_key_is_shown_nowhere(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = client(KEY, base_url="http://127.0.0.1:1")
        derived = made.with_options(api_key=KEY, timeout=1)
        shown = [repr(value) for value in (made, derived, made.payment_links, made.payment_links.list())]
        shown += [str(made), repr(settings()), str(settings()), f"{settings()}", caplog.text]

    assert not [text for text in shown if KEY in text]
    assert "http://127.0.0.1:1" in repr(made)


@both_facades
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_client_is_pickled(client: Client, protocol: int) -> None:
    made = client(KEY)
    derived = made.with_options(timeout=1)
    belonging = [made.payment_links, derived.payment_links.list(), settings()]

    for whole in (made, derived):
        with pytest.raises(TypeError, match=f"^{client.__name__} cannot be pickled, since its API key"):
            pickle.dumps({"client": whole}, protocol)
    for part in belonging:
        with pytest.raises(TypeError):
            pickle.dumps(part, protocol)


@both_facades
def test_a_copy_of_a_client_is_the_client(client: Client) -> None:
    made = client(KEY)

    assert copy.copy(made) is made
    assert copy.deepcopy({"client": made})["client"] is made


# ---------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", ["timeout", "connect_timeout", "read_timeout"])
@pytest.mark.parametrize(
    "value", [0, -1, float("nan"), float("inf"), "5", None, True, 10**400], ids=lambda v: str(v)[:9]
)
def test_timeouts_are_positive_and_finite(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: expected"):
        settings(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.0, "100", True, None])
def test_max_connections_is_a_positive_int(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^max_connections: expected an int of at least 1"):
        settings(max_connections=value)


def test_a_retry_is_a_policy() -> None:
    with pytest.raises(ConfigurationError, match=r"^retry: expected a RetryPolicy, got int"):
        settings(retry=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", 1.0),
        ("max_attempts", True),
        ("base", -1),
        ("base", "1"),
        ("base", float("nan")),
        ("cap", float("inf")),
        ("cap", None),
        ("codes", 5),
        ("codes", {"1"}),
        ("money_codes", {None}),
    ],
)
def test_a_policy_is_checked(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"codes: |^" + field):
        RetryPolicy(**{field: value})


def test_the_default_policy() -> None:
    policy = RetryPolicy()

    assert (policy.max_attempts, policy.base, policy.cap) == (8, 0.5, 20.0)
    assert (policy.codes, policy.money_codes) == (None, None)
    of_the_api = policy.of(PAY)
    assert (of_the_api.codes, of_the_api.money_codes) == (frozenset({1, 2}), frozenset({1}))
    assert RetryPolicy(codes=[5]).of(PAY).codes == frozenset({5})
    assert RetryPolicy(base=0, cap=0, codes=[1], money_codes=()).codes == frozenset({1})
    assert hash(policy) == hash(RetryPolicy())


# ------------------------------------------------------------------------------------------------ paths


def test_a_path_may_be_another() -> None:
    paths = {
        "payment_links.statistics": "/v2/stats",
        "payment_links.retrieve_by_order_reference": "/v1/orders/{order_reference}/link",
    }

    assert check_paths(paths, PAY) == paths
    assert check_paths({}, PAY) == {}


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ("/v1", "paths: expected a mapping"),
        (
            {"payment_links.nope": "/v1"},
            r"there is no operation 'payment_links.nope'; known are .*payment_links\.cancel",
        ),
        ({"statistics": "/v1"}, "there is no operation"),
        ({5: "/v1"}, "there is no operation"),
        ({"payment_links.statistics": "v1/stats"}, "expected a path such as /v1/payment-links/statistics"),
        ({"payment_links.statistics": None}, "expected a path"),
        ({"payment_links.statistics": "/v1/ста"}, "expected a path"),
        ({"payment_links.statistics": "/v1/a b"}, "expected a path"),
        ({"payment_links.statistics": "/v1/{x}"}, "expected the parameters of"),
        ({"payment_links.retrieve": "/v1/links"}, "expected the parameters of"),
        ({"payment_links.retrieve": "/v1/{id}"}, "expected the parameters of"),
    ],
)
def test_what_is_no_path(paths: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        check_paths(paths, PAY)


# ---------------------------------------------------------------------------------------------- changes


def test_options_change_what_is_given_alone() -> None:
    before = settings(paths={"payment_links.statistics": "/v2/stats"})

    after = before.changed(
        timeout=5, api_key=None, retry=RetryPolicy(max_attempts=1), read_timeout=None, paths=None
    )

    assert (after.timeout, after.read_timeout, after.retry.max_attempts) == (5.0, 30.0, 1)
    assert after.paths == before.paths
    assert after.current_key().reveal() == KEY
    assert before.timeout == 60.0
    assert before.changed(paths={}).paths == {}


@both_facades
@pytest.mark.parametrize(
    "options",
    [{"api_key": " ab"}, {"timeout": 0}, {"read_timeout": "x"}, {"retry": 1}, {"paths": {"x": "/y"}}],
)
def test_options_are_checked(client: Client, options: Mapping[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        client(KEY).with_options(**options)
