"""Contenders take turns, each in a process of its own; one that cannot run says why and hinders nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import turns
from benchmarks.cases import SMOKE, Case, Contender, Figures
from benchmarks.server import Behaviour
from benchmarks.suite import create
from benchmarks.turns import RunError, fresh_run, in_turn, results_of
from tests.needs import needs

A, B = Contender("A", {"name": "a"}), Contender("B", {"name": "b"})


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each run, none of which is performed; b fails in its second."""
    taken: list[dict[str, Any]] = []

    def noted(name: str, url: str, options: Mapping[str, Any], environment: Mapping[str, str]) -> Figures:
        assert (name, url, environment) == ("create", "", {})
        taken.append(dict(options))
        if options["name"] == "b" and sum(each["name"] == "b" for each in taken) == 2:
            raise RunError("no more")
        return {"rate": float(len(taken))}

    monkeypatch.setattr(turns, "fresh_run", noted)
    return taken


def test_contenders_run_in_turn_with_the_options_of_the_case_and_their_own(ran: list[dict[str, Any]]) -> None:
    case = Case("case", (A, B), {"seconds": 1}, behaviour=None)
    said: list[str] = []
    results = in_turn("create", case, 1, said.append)

    assert ran == [{"seconds": 1, "name": "a"}, {"seconds": 1, "name": "b"}]
    assert said == ["create, case, round 1 of 1: A", "create, case, round 1 of 1: B"]
    assert [(result.contender, result.runs) for result in results] == [
        ("A", [{"rate": 1}]),
        ("B", [{"rate": 2}]),
    ]


def test_one_that_fails_says_why_and_takes_no_further_turn(ran: list[dict[str, Any]]) -> None:
    a, b = in_turn("create", Case("case", (A, B), behaviour=None), 4, lambda _: None)

    assert [each["name"] for each in ran] == ["a", "b", "a", "b", "a", "a"]
    assert (len(a.runs), a.reason) == (4, None)
    assert (len(b.runs), b.reason) == (1, "failed: no more")


def test_one_whose_package_is_missing_says_so_and_does_not_run(ran: list[dict[str, Any]]) -> None:
    lacking = Contender("C", {"name": "c"}, ("no_such_package", "json"))
    a, c = in_turn("create", Case("case", (A, lacking), behaviour=None), 2, lambda _: None)

    assert [each["name"] for each in ran] == ["a", "a"]
    assert (len(a.runs), a.reason) == (2, None)
    assert (c.runs, c.reason) == ([], "not installed: no_such_package")


def test_where_none_can_run_nothing_is_served(
    ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "opened", None)
    lacking = Contender("C", {"name": "c"}, ("no_such_package",))
    (c,) = in_turn("create", Case("case", (lacking,)), 2, lambda _: None)

    assert (ran, c.runs, c.reason) == ([], [], "not installed: no_such_package")


@needs("cryptography")
def test_over_tls_the_clients_environment_tells_whom_to_trust_for_as_long_as_it_lasts() -> None:
    with turns.opened(Behaviour(tls=True)) as (url, environment):
        assert url.startswith("https://127.0.0.1:")
        assert set(environment) == {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
        (authority,) = {Path(path) for path in environment.values()}
        assert b"CERTIFICATE" in authority.read_bytes()
        assert b"PRIVATE KEY" not in authority.read_bytes()
    assert not authority.parent.exists()

    with turns.opened(Behaviour()) as (url, environment):
        assert (url.partition(":")[0], environment) == ("http", {})


@pytest.mark.parametrize(("given", "own", "taken"), [(None, None, 3), (None, 2, 2), (1, 2, 1)])
def test_the_rounds_are_those_told_or_the_cases_or_the_scales(
    ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, given: int | None, own: int | None, taken: int
) -> None:
    case = Case("case", (A,), behaviour=None, rounds=own)
    three = SMOKE._replace(rounds=3)
    monkeypatch.setattr(create, "cases", lambda scale: [case] if scale is three else [])

    (found,) = results_of("create", three, lambda _: None, given)

    assert len(found.runs) == len(ran) == taken


def test_the_end_of_a_run_that_failed_is_its_reason() -> None:
    with pytest.raises(RunError, match=r"^KeyError: 'nothing'$"):
        fresh_run("codec", "", {"name": "nothing", "work": "encode", "seconds": 0.01})


def test_a_run_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LIMIT", 1.0)

    with pytest.raises(RunError, match="no end within 1 s"):
        fresh_run("codec", "", {"name": "plexypay", "work": "encode", "seconds": 60})


def test_proxies_and_certificates_of_the_machine_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "all_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEPT", "x")
    found = turns.plain_environment()

    assert "KEPT" in found
    assert not {"HTTP_PROXY", "all_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"} & set(found)
