"""Arguments that a command does not have, and the lines of its help."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator

import pytest

from plexypay_async.cli.command import build_parser, main
from plexypay_async.cli.help_text import laid_out


def parsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """Yield a parser, and those of its commands and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from parsers(command)


def options_of(parser: ArgumentParser) -> list[str]:
    return [option for option in parser._option_string_actions if option.startswith("--")]


def words_of(parser: ArgumentParser) -> list[str]:
    return parser.prog.split()[1:]


EVERY_PARSER = [pytest.param(parser, id=parser.prog) for parser in parsers(build_parser())]
EVERY_OPTION = [
    pytest.param(parser, option, id=f"{parser.prog} {option}")
    for parser in parsers(build_parser())
    for option in options_of(parser)
]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """Return the first words and the last line of what is told of arguments that cannot be used."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.partition(" [")[0], said.err.splitlines()[-1]


def test_there_are_parsers_below_parsers() -> None:
    progs = [parser.prog for parser in parsers(build_parser())]
    assert {"plexypay", "plexypay bulk-create", "plexypay journal", "plexypay journal purge"} <= {*progs}


# ------------------------------------------------------------------------------------------- unknown options


@pytest.mark.parametrize(("parser", "option"), EVERY_OPTION)
def test_a_mistyped_option_is_told_before_what_is_missing(
    parser: ArgumentParser, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mistyped = f"--q{option[3:]}"
    usage, error = refused(capsys, *words_of(parser), mistyped, "x")
    assert usage == f"usage: {parser.prog}"
    assert error == (
        f"{parser.prog}: error: unrecognized arguments: {mistyped}; did you mean {option} for {mistyped}?"
    )


@pytest.mark.parametrize(
    ("arguments", "prog", "told"),
    [
        ("reconcile f.csv --jornal x", "reconcile", "--jornal; did you mean --journal for --jornal?"),
        ("reconcile --jornal=a f.csv", "reconcile", "--jornal; did you mean --journal for --jornal?"),
        ("reconcile f.csv --jornal=a\0b", "reconcile", "--jornal; did you mean --journal for --jornal?"),
        ("reconcile f.csv -journal x", "reconcile", "-journal; did you mean --journal for -journal?"),
        ("reconcile f.csv --amounts x --jornal x", "reconcile", "--jornal; did you mean --journal"),
        (
            "bulk-create f.csv --rate x --jornal j --strikt",
            "bulk-create",
            "--jornal --strikt; did you mean --journal for --jornal?; did you mean --strict for --strikt?",
        ),
        ("bulk-create f.csv --rate x -j", "bulk-create", "-j"),
        ("bulk-create f.csv --con 5", "bulk-create", "--con; did you mean --concurrency for --con?"),
        ("sandbox --webhook-h x", "sandbox", "--webhook-h; did you mean --webhook-host for --webhook-h?"),
        ("sandbox --webhook-", "sandbox", "--webhook-; did you mean --webhook-url or --webhook-token or "),
        (
            "journal purge x --older 3",
            "journal purge",
            "--older; did you mean --older-than for --older?",
        ),
        (
            "journal --older-than 3 purge x",
            "journal",
            "--older-than; did you mean plexypay journal purge --older-than for --older-than?",
        ),
        (
            "--jornal j reconcile f.csv",
            "",
            "--jornal; did you mean plexypay reconcile --journal for --jornal?",
        ),
    ],
)
def test_an_unknown_option_is_the_first_error(
    arguments: str, prog: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usage, error = refused(capsys, *(word.replace("\0", " ") for word in arguments.split(" ")))
    named = f"plexypay {prog}".strip()
    assert usage == f"usage: {named}"
    assert error.startswith(f"{named}: error: unrecognized arguments: {told}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("bulk-create f.csv --rate -inf", "argument --rate: expected one argument"),
        ("bulk-create f.csv --rate -5", "argument --rate: expected a number of requests per second above 0"),
        ("bulk-create f.csv --fault", "argument --fault: expected one argument"),
        ("reconcile f.csv", "the following arguments are required: --journal"),
        ("reconcile --journal j -- --jornal x", "unrecognized arguments: x"),
        ("journal purg x --older 3", "argument COMMAND: invalid choice: 'purg'"),
        ("listen more", "unrecognized arguments: more"),
    ],
)
def test_an_error_without_an_unknown_option_is_told_as_it_is(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f": error: {told}" in refused(capsys, *arguments.split())[1]


@pytest.mark.parametrize("arguments", [["--api-key=pr_secret"], ["--api-key", "pr_secret"]])
@pytest.mark.parametrize("more", [[], ["--rate", "x"]])
def test_the_value_of_an_unknown_option_is_not_told(
    arguments: list[str], more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["bulk-create", "f.csv", *arguments, *more])
    error = capsys.readouterr().err
    assert "unrecognized arguments: --api-key" in error
    assert "pr_secret" not in error


# -------------------------------------------------------------------------------------------------- the help


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("parser", EVERY_PARSER)
def test_help_fits_the_terminal_and_breaks_no_word(
    parser: ArgumentParser, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as caught:
            main([*words_of(parser), "--help"])
        assert caught.value.code == 0
        return capsys.readouterr().out

    text = told(width)
    too_long = [line for line in text.splitlines() if len(line) > width and len(line.split()) > 1]
    assert not too_long
    assert text.replace(" \\\n", "\n").split() == told(1000).split()


def test_how_help_is_laid_out() -> None:
    text = """\
Prose of several lines that
are one paragraph.

table:
  short   a row of two columns which
          goes on below the second
  long    another, with 22 000 000,50 in it
  a row whose first column is as wide as this   its text
  one-word-list, another-word

examples:
  plexypay bulk-create orders.csv --journal orders.journal
"""
    assert laid_out(text, 34).splitlines() == [
        "Prose of several lines that are",
        "one paragraph.",
        "",
        "table:",
        "  short   a row of two columns",
        "          which goes on below the",
        "          second",
        "  long    another, with",
        "          22 000 000,50 in it",
        "  a row whose first column is as wide as this   its",
        "      text",
        "  one-word-list, another-word",
        "",
        "examples:",
        "  plexypay bulk-create \\",
        "      orders.csv --journal \\",
        "      orders.journal",
    ]


@pytest.mark.parametrize("told", ["exit codes of --check:", "0    every row could be sent"])
def test_the_help_of_bulk_create_tells_the_exit_codes_of_a_check(
    told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["bulk-create", "--help"])
    assert told in capsys.readouterr().out
