"""A limit of open files (`ulimit -n`) that is lower than a job's connections need."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from plexypay_async.cli import journal, main
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.open_files import allow_open_files, require_open_files

if sys.platform != "win32":
    import resource

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on open files")

EXAMPLE = Path(__file__).parents[2] / "examples" / "links.csv"


def run(
    limits: tuple[int, int], *arguments: str, command: Sequence[str] = ("bulk-create", str(EXAMPLE))
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "plexypay_async.cli", *command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )


def test_the_limit_is_raised_where_it_can_be() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = run((100, hard), "--sandbox", "--concurrency", "100")
    assert done.returncode == 0
    assert "ulimit" not in done.stderr


def test_a_concurrency_that_does_not_fit_is_refused_with_the_largest_that_does() -> None:
    done = run((100, 100), "--sandbox", "--concurrency", "100")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "plexypay: --concurrency 100 needs 264 open files, and the limit of open files (ulimit -n) is 100:"
        " raise it with ulimit -n in the shell, or its hard limit in the system's settings, or give"
        " --concurrency 18 or less\n"
    )
    fitting = run((100, 100), "--sandbox", "--concurrency", "18")
    assert (fitting.returncode, "ulimit" in fitting.stderr) == (0, False)


@pytest.mark.parametrize(("limit", "told"), [(100, "18 links are"), (66, "1 link is")])
def test_a_pace_that_adapts_stays_below_the_limit(limit: int, told: str) -> None:
    done = run((limit, limit), "--sandbox")
    assert done.returncode == 0
    assert done.stderr.count("ulimit") == 1
    assert f"the limit of open files (ulimit -n) is {limit}: no more than {told} under way" in done.stderr


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits: the one that is there, and each one that is set."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: found[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: found.append(limits))
    return found


@pytest.mark.parametrize(
    ("limit", "links", "soft"),
    [
        *[((1024, 4096), 100, 1024), ((100, 4096), 100, 164), ((100, -1), 100, 164), ((-1, -1), 100, -1)],
        *[((100, 150), 86, 150), ((64, 64), 1, 64), ((10, 20), 1, 20)],
    ],
)
def test_how_many_links_fit(
    limits: list[tuple[int, int]], limit: tuple[int, int], links: int, soft: int
) -> None:
    limits.append(limit)
    assert allow_open_files(None, adaptive=100) == links
    assert limits[-1] == (soft, limit[1])


@pytest.mark.parametrize(("limit", "most"), [(12, "1"), (64, "1"), (65, "1"), (66, "2 or less")])
def test_one_link_fits_into_any_limit(limits: list[tuple[int, int]], limit: int, most: str) -> None:
    limits.append((limit, limit))
    for links in range(1, int(most[0]) + 1):
        assert allow_open_files(links, adaptive=100) == links
    with pytest.raises(
        UnusableInputError,
        match=rf"ulimit -n\) is {limit}: raise it with .* settings, or give --concurrency {most}$",
    ):
        allow_open_files(int(most[0]) + 1, adaptive=100)


@pytest.mark.parametrize("limit", [32, 64])
def test_one_link_at_a_time_can_be_made_under_a_low_limit(limit: int) -> None:
    done = run((limit, limit), "--sandbox", "--concurrency", "1")
    assert (done.returncode, "ulimit" in done.stderr) == (0, False)


def test_a_limit_that_cannot_be_raised(
    limits: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    limits.append((100, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allow_open_files(None, adaptive=100) == 36
    with pytest.raises(
        UnusableInputError, match=r"needs 114 open files, .* is 100: .* --concurrency 36 or less"
    ):
        allow_open_files(50, adaptive=100)


@pytest.mark.parametrize("limit", [5, 7, 15])
@pytest.mark.parametrize(
    "arguments",
    [
        ["bulk-create", str(EXAMPLE), "--sandbox"],
        ["bulk-create", str(EXAMPLE), "--journal", "no-such-folder/journal"],
        ["reconcile", str(EXAMPLE), "--journal", str(EXAMPLE)],
        ["journal", "purge", str(EXAMPLE)],
        ["sandbox", "--port", "0"],
        ["listen", "--port", "0", "--token", "whk_0123456789abcdef"],
    ],
    ids=lambda arguments: " ".join(arguments[:1]),
)
def test_a_limit_below_what_any_command_needs_is_named(arguments: list[str], limit: int) -> None:
    done = run((limit, limit), command=arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"plexypay: the limit of open files (ulimit -n) is {limit}, and no command can do with fewer than 16:"
        " raise it with ulimit -n in the shell, or its hard limit in the system's settings\n"
    )


def test_it_is_raised_where_it_can_be(limits: list[tuple[int, int]]) -> None:
    limits.append((7, 64))
    require_open_files()
    assert limits == [(7, 64), (16, 64)]


def test_a_limit_that_is_met_later_is_named_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files", "a_module.py")

    monkeypatch.setattr(journal, "run", fails)
    assert main(["journal", "purge", "orders.journal"]) == 2
    assert capsys.readouterr().err == (
        "plexypay: too many open files: the limit of open files (ulimit -n) is too low: raise it with"
        " ulimit -n in the shell, or its hard limit in the system's settings\n"
    )
