"""Runs contenders in turn (A B A B ...), each time in a fresh process, against a server in another.

``python -m benchmarks.turns BENCHMARK URL OPTIONS`` is such a process: it runs one contender once, on the
clients' CPU, and prints its figures as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

from . import certificates
from .cases import Case, Figures, Result, Scale, benchmark_of
from .contenders import missing
from .server import CLIENT_CPU, Behaviour, pin, served

LIMIT = 3600.0
"""Seconds after which a run is taken for hung."""

Say: TypeAlias = Callable[[str], None]
"""Told what is being done."""


class RunError(Exception):
    """A run that did not come to its end; says why."""


def results_of(name: str, scale: Scale, say: Say, rounds: int | None = None) -> list[Result]:
    """Run all cases of one benchmark, as often as told, or as the case or the scale says."""
    found: list[Result] = []
    for case in benchmark_of(name).cases(scale):
        found += in_turn(name, case, rounds or case.rounds or scale.rounds, say)
    return found


def in_turn(name: str, case: Case, rounds: int, say: Say) -> list[Result]:
    """Run the contenders of one case; one that cannot run, or fails, says why and takes no further turn."""
    results = [
        Result(name, case.name, contender.name, [], missing(contender.needs)) for contender in case.contenders
    ]
    with contextlib.ExitStack() as stack:
        url, environment = "", dict[str, str]()
        # Where none can run, a server may lack what it needs too.
        if case.behaviour is not None and any(result.reason is None for result in results):
            url, environment = stack.enter_context(opened(case.behaviour))
        for number in range(rounds):
            for at, contender in enumerate(case.contenders):
                if results[at].reason is not None:
                    continue
                say(f"{name}, {case.name}, round {number + 1} of {rounds}: {contender.name}")
                try:
                    options = {**case.options, **contender.options}
                    results[at].runs.append(fresh_run(name, url, options, environment))
                except RunError as error:
                    results[at] = results[at]._replace(reason=f"failed: {error}")
    return results


@contextlib.contextmanager
def opened(behaviour: Behaviour) -> Generator[tuple[str, dict[str, str]]]:
    """Serve; yields the address, and what tells the clients in their environment whom to trust."""
    told = behaviour._asdict()
    if not told.pop("tls"):
        with served(**told) as url:
            yield url, {}
        return
    with certificates.made() as files, served(**told, files=files.server) as url:
        yield url, files.environment


def fresh_run(
    name: str, url: str, options: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Figures:
    """Run one contender once, in a process of its own, with this besides in its environment.

    Raises:
        RunError: It failed, or took longer than `LIMIT`.
    """
    command = [sys.executable, "-m", "benchmarks.turns", name, url, json.dumps(options)]
    environment = {**plain_environment(), **(environment or {})}
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"no end within {LIMIT:.0f} s") from None
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or [f"exit status {ran.returncode}"]
        raise RunError(said[-1])
    figures: Figures = json.loads(ran.stdout.splitlines()[-1])
    return figures


def plain_environment() -> dict[str, str]:
    """Return the environment without what HTTP clients look at: proxies and certificates of this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith(("_proxy", "_ca_bundle")) and not name.startswith("SSL_CERT_")
    }


def main(name: str, url: str, options: Mapping[str, Any]) -> None:
    """Run one contender here and print its figures."""
    pin(CLIENT_CPU)
    print(json.dumps(benchmark_of(name).run(url, **options)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
