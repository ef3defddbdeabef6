"""``plexypay pay``, ``gate`` and so on: every operation of the vendor's APIs, each a command.

Nothing is written here for any operation. Commands, arguments and help come from the declarations, and those
of a group are imported when a command of that group is used.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .arguments import digits, number_argument
from .connection import Connection, add_connection, given_beside_sandbox, given_options
from .exits import UnusableInputError
from .parser import Parser
from .terminal import require_output, tell

if TYPE_CHECKING:
    from .._privacy.secret import Secret
    from ..api.description import API
    from ..api.operation import Declared
    from .operation_values import Parameter
    from .operation_words import Words

__all__ = ["NAMES", "add_apis", "commands_of", "operations_of"]

_OUTPUT = """\
output:
  The answer as one line of JSON; of a listing a line for each item, as pages come. What may be secret is left
  out unless --show-secrets is given. All else, the questions too, is on standard error.

exit codes:
  0    done
  1    not done: refused, not found, or the server could not be reached; for what only reads, any failure
  2    the arguments or the settings cannot be used; nothing was sent
  3    it may have been done, or it was and its answer is lost: look before running it again; what is told
       says how
  130  stopped by Ctrl-C (143: by SIGTERM)
"""

NAMES = ("pay", "gate", "checkout")
"""The names of `apis.APIS`, which is not imported before one of them is used."""

_TOGETHER = "\0"
_UNLESS_GIVEN = re.compile(r"; ([^;.]+) unless given\.")

_VALUES = """\
values:
  A TIME has its zone, such as 2030-01-31T18:00:00Z. JSON is written out, or is @FILE, or - for standard
  input; its fields have the names of this help or the API's own.
"""


def add_apis(commands: Any) -> None:
    """Add a command for each of the APIs."""
    for name in NAMES:
        commands.add_parser(
            name,
            help=f"call one operation of the {name.capitalize()} API, and print its answer as JSON",
            fill=partial(_fill_api, name),
        )


def _fill_api(name: str, parser: Parser) -> None:
    """Give the command of an API its groups."""
    from ..api.index import groups_of
    from ..apis import api_of
    from .operation_words import command_name

    api = api_of(name)

    parser.description = f"Call one operation of the {api.title}, and print its answer as JSON."
    groups = parser.add_subparsers(title="groups", metavar="GROUP", required=True)
    for attribute in groups_of(api):
        groups.add_parser(
            command_name(attribute),
            help=_told_of_group(api, attribute),
            fill=partial(_fill_group, api, attribute),
        )
    parser.epilog = f"{_OUTPUT}\n{_environment(api)}"


def _told_of_group(api: API, attribute: str) -> str:
    from ..api.index import group_of
    from .operation_words import first_sentence, words_of

    return _escaped(first_sentence(words_of(group_of(api, attribute), {}, {}).summary).rstrip("."))


def _environment(api: API) -> str:
    rows = [
        (api.key_variable, "your API key, unless --sandbox is given"),
        (api.base_url_variable, "the API's address, unless --base-url is given"),
        *((each.variable, f"what {_option(each.name)} says, unless it is given") for each in api.parameters),
        ("HTTPS_PROXY", "the proxy that leads to the API, unless --proxy is given, as curl takes it"),
    ]
    width = max(len(name) for name, _ in rows)
    return "environment:\n" + "".join(f"  {name:{width}}  {told}\n" for name, told in rows)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def operations_of(api: API, attribute: str) -> Mapping[str, Declared[...]]:
    """Return what a group declares, by the name of its command."""
    from ..api.index import group_of
    from ..api.operation import Bulk, Declared
    from .operation_words import command_name

    return {
        command_name(name): declared
        for name, declared in vars(group_of(api, attribute)).items()
        # Many requests come from a file: bulk-create is that.
        if isinstance(declared, Declared) and not isinstance(declared, Bulk)
    }


def commands_of(api: API) -> Mapping[str, str]:
    """Return the command of each operation, by its full name."""
    from ..api.index import groups_of
    from .operation_words import command_name

    return {
        declared.name: f"plexypay {api.name} {command_name(attribute)} {command}"
        for attribute in groups_of(api)
        for command, declared in operations_of(api, attribute).items()
    }


def _fill_group(api: API, attribute: str, parser: Parser) -> None:
    """Give the command of a group its operations."""
    from .operation_words import words_of

    parser.description = f"{_told_of_group(api, attribute)}."
    operations = parser.add_subparsers(title="operations", metavar="OPERATION", required=True)
    for command, declared in operations_of(api, attribute).items():
        summary = words_of(_request_of(declared), {}, {}).summary
        operations.add_parser(
            command,
            help=_escaped(summary.rstrip(".")),
            fill=partial(_fill_operation, api, attribute, declared),
        )


def _request_of(declared: Declared[...]) -> Any:
    """Return the class of an operation's request, or of the options of a wait."""
    return getattr(declared, "request", None) or getattr(declared, "options")  # noqa: B009


# ---------------------------------------------------------------------------------------- one operation


def _fill_operation(api: API, attribute: str, declared: Declared[...], parser: Parser) -> None:
    """Give the command of an operation its arguments and its help."""
    from ..api.operation import Listing, Wait
    from .operation_run import changes_something
    from .operation_values import parameters_of
    from .operation_words import words_of

    parameters = parameters_of(_request_of(declared))
    options = {each.name: each.option for each in parameters}
    words = words_of(_request_of(declared), options, commands_of(api))
    is_listing, changes = isinstance(declared, Listing), changes_something(declared)
    parser.usage = _usage(parser.prog, parameters)
    parser.description = words.summary
    parser.epilog = _details(declared, words, _VALUES)
    group = parser.add_argument_group("request")
    for each in parameters:
        _add_parameter(group, each, words)
    call = parser.add_argument_group("call")
    for parameter in api.parameters:
        call.add_argument(
            _option(parameter.name),
            dest=f"client.{parameter.name}",
            metavar="ID",
            help=f"what the client is made with; unless given, what {parameter.variable} says",
        )
    if changes:
        call.add_argument(
            "-y",
            "--yes",
            action="store_true",
            help="send it without asking; needed where nobody can be asked",
        )
    if is_listing:
        call.add_argument(
            "--limit",
            metavar="N",
            type=number_argument(digits, "a whole number of at least 1", lambda number: number >= 1),
            help="print so many items at the most (default: all there are)",
        )
        call.add_argument(
            "--resume", metavar="CURSOR", help="go on where a listing broke off, which has told the cursor"
        )
    if not isinstance(declared, Wait):
        call.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=number_argument(float, "a number of seconds above 0", lambda number: 0 < number < 1e9),
            help=f"for {'each page' if is_listing else 'the call'}, all its retries included (default: 60)",
        )
    call.add_argument("--raw", action="store_true", help="print the API's own names, and what has none here")
    call.add_argument(
        "--show-secrets",
        action="store_true",
        help="print secrets too, such as codes, session data and keys: they stay in the terminal's history"
        " and in whatever file takes the output",
    )
    call.add_argument(
        "--sandbox",
        action="store_true",
        help="call a sandbox inside this process, which ends with it; needs no account",
    )
    add_connection(parser)
    parser.set_defaults(run=partial(_run, api, attribute, declared, parameters))


def _usage(prog: str, parameters: Sequence[Parameter]) -> str:
    """Return the usage with what an operation needs; all else is below it."""
    needed = [
        each.option if each.is_positional else f"{each.option} {each.form.value}"
        for each in parameters
        if each.is_needed
    ]
    width = max(40, shutil.get_terminal_size().columns - len("usage: "))
    parts = [prog, *needed, "[option ...]"]
    # An option and its value stay on one line.
    text = textwrap.fill(
        " ".join(part.replace(" ", _TOGETHER) for part in parts), width, break_on_hyphens=False
    )
    return _escaped(text.replace(_TOGETHER, " ").replace("\n", "\n       "))


def _add_parameter(group: Any, parameter: Parameter, words: Words) -> None:
    from .operation_values import Form

    told = words.of(parameter.name)
    if parameter.is_needed and not parameter.is_positional:
        told = f"(required) {told}"
    if parameter.inner:
        told = f"{told} Its fields: {', '.join(parameter.inner)}."
    if parameter.known:
        told = f"{told} Known: {', '.join(parameter.known)}."
    if parameter.is_secret:
        told = f"{told} By @FILE, or - for standard input."
    if parameter.default is not None:
        default = parameter.default
        told = (
            f"{told} Default: {default:g}." if isinstance(default, float) else f"{told} Default: {default}."
        )
    settings: dict[str, Any] = {"dest": parameter.destination, "help": _escaped(told.strip())}
    if parameter.is_positional:
        settings |= {"metavar": parameter.option}
        if not parameter.is_required:
            settings |= {"nargs": "?"}
        # The place of a positional is its name.
        name = settings.pop("dest")
        group.add_argument(name, **settings)
    else:
        metavar = "{true,false}" if parameter.form is Form.BOOLEAN else parameter.form.value
        group.add_argument(parameter.option, metavar=metavar, required=parameter.is_required, **settings)


def _details(declared: Declared[...], words: Words, values: str) -> str:
    """Return what stands below the arguments of an operation."""
    from ..api.operation import Declaration
    from .operation_run import changes_something

    rows: list[tuple[str, str]] = []
    if isinstance(declared, Declaration):
        rows.append(("call", f"{declared.method} {declared.path}"))
    evidence = words.evidence
    if isinstance(declared, Declaration):
        known = declared.evidence.value
        evidence = evidence if evidence.startswith(known) else f"call {known}; {evidence}".removesuffix("; ")
    rows += [("answer", words.returns), ("evidence", evidence)]
    if changes_something(declared):
        rows.append(("repeats", _repeats(declared)))
    width = max(len(name) for name, _ in rows)
    table = "".join(f"  {name:{width}}  {told}\n" for name, told in rows if told)
    return f"about it:\n{table}\n{values}"


def _repeats(declared: Declared[...]) -> str:
    from .operation_run import is_refused_again, replay_of

    replay = replay_of(declared)
    if replay.moves_money:
        return "Money may move: never run it again before you know what became of it."
    if replay.same_key:
        return "The same command with the same key does it once, however often it is run."
    if replay.looks_up:
        return "With an order reference it is made once; without one, run twice it may make two."
    if is_refused_again(declared):
        return "Safe to run again: the second time it is refused, with exit code 1, and changes nothing."
    if replay.unknown:
        return "Safe to run again: twice has the effect of once."
    return "Run twice it may make two: look first whether it is there."


def _escaped(text: str) -> str:
    """Return a text for argparse, which takes a percent sign for the beginning of a name."""
    return text.replace("%", "%%")


def _run(
    api: API,
    attribute: str,
    declared: Declared[...],
    parameters: Sequence[Parameter],
    arguments: argparse.Namespace,
) -> int:
    """Perform an operation and return the exit code.

    Raises:
        UnusableInputError: Nothing was sent; the message says what to change.
    """
    from .._privacy.hiding import shown
    from .operation_advice import Advice
    from .operation_output import Output
    from .operation_run import OperationRun
    from .operation_values import Values
    from .operation_words import command_name

    if arguments.sandbox and (option := given_beside_sandbox(arguments)) is not None:
        arguments.parser.error(f"{option} and --sandbox exclude each other")
    connection = Connection.of(arguments)
    require_output("the answer")
    given = {each.name: getattr(arguments, each.destination) for each in parameters}
    for each in parameters:
        if (value := given[each.name]) and each.known and not each.knows(value):
            known = ", ".join(each.known)
            told = f"{each.option}: {shown(value, 60)} is none of the known: {known}; it is sent as it is"
            tell(f"plexypay: {told}")
    request = Values(parameters).request(_request_of(declared), given)
    timeout = getattr(arguments, "timeout", None)
    address, open_client = _way_to(api, arguments, connection)
    run = OperationRun(
        command=f"{api.name} {command_name(attribute)} {command_name(declared.name.rpartition('.')[2])}",
        group=attribute,
        declared=declared,
        parameters=tuple(parameters),
        request=request,
        open_client=open_client,
        address=address,
        client_parameters=_client_parameters(api, arguments),
        options={} if timeout is None else {"timeout": timeout},
        output=Output(wire=arguments.raw, show_secrets=arguments.show_secrets),
        advice=Advice(api, partial(commands_of, api), _same_server(api, arguments)),
        wholes=_wholes(declared, parameters, request),
        limit=getattr(arguments, "limit", None),
        resume=getattr(arguments, "resume", None),
        agreed=getattr(arguments, "yes", False),
    )
    return run.execute()


def _same_server(api: API, arguments: argparse.Namespace) -> Sequence[str]:
    """Return the options with which another command reaches the same server as the same merchant."""
    found = given_options(arguments)
    for each in api.parameters:
        if (value := getattr(arguments, f"client.{each.name}")) is not None:
            found += [_option(each.name), value]
    return found


def _wholes(declared: Declared[...], parameters: Sequence[Parameter], request: Any) -> Mapping[str, str]:
    """Return what each amount is that was not given, by what the declaration says of it."""
    from .operation_values import Form
    from .operation_words import words_of

    missing = [
        each.name
        for each in parameters
        if each.form is Form.AMOUNT and getattr(request, each.name) is None and not each.is_needed
    ]
    if not missing:
        return {}
    words = words_of(_request_of(declared), {}, {})
    found = {name: _UNLESS_GIVEN.search(words.of(name)) for name in missing}
    return {name: told[1] for name, told in found.items() if told is not None}


def _way_to(
    api: API, arguments: argparse.Namespace, connection: Connection
) -> tuple[str | None, Callable[[AsyncExitStack], Awaitable[tuple[Any, Secret[str]]]]]:
    """Return the address of an API, None for a sandbox of this process, and what opens its client.

    Raises:
        UnusableInputError: There is no key, or the address cannot be used.
    """
    from .._privacy.secret import Secret
    from ..errors import ConfigurationError
    from ..settings import chosen_base_url
    from .operation_values import told_by_options

    own = _client_parameters(api, arguments)

    async def open_client(stack: AsyncExitStack) -> tuple[Any, Secret[str]]:
        way, key = connection, api_key
        if key is None:
            import uuid

            from ..sandbox import Sandbox

            # It knows any.
            own.update({each.name: str(uuid.uuid4()) for each in api.parameters if each.name not in own})
            sandbox = await stack.enter_async_context(Sandbox())
            way, key = Connection.of_sandbox(sandbox.base_url), Secret(sandbox.api_key)
        client = _client(api, key, {**own, **way.options()})
        if isinstance(client, str):
            raise UnusableInputError(client)
        return await stack.enter_async_context(client), key

    api_key: Secret[str] | None = None
    if arguments.sandbox:
        return None, open_client
    api_key = Secret(os.environ.get(api.key_variable, ""))
    if not api_key:
        raise UnusableInputError(
            f"no API key: set the environment variable {api.key_variable}, or try it with --sandbox"
        )
    if connection.base_url is None and api.base_url is None and api.base_url_variable not in os.environ:
        raise UnusableInputError(
            f"no address: the vendor publishes none of the {api.title}: give --base-url, or set the"
            f" environment variable {api.base_url_variable}"
        )
    for each in api.parameters:
        if each.required and each.name not in own:
            raise UnusableInputError(
                f"no {each.name.replace('_', ' ')}: give {_option(each.name)}, or set the environment"
                f" variable {each.variable}"
            )
    try:
        return chosen_base_url(connection.base_url, api), open_client
    except ConfigurationError as error:
        raise UnusableInputError(told_by_options(str(error), _options_of(api))) from None


def _client_parameters(api: API, arguments: argparse.Namespace) -> dict[str, str]:
    """Return what the client is made with besides its key: as it is given, or else the environment's."""
    found = {
        each.name: getattr(arguments, f"client.{each.name}") or os.environ.get(each.variable)
        for each in api.parameters
    }
    return {name: value for name, value in found.items() if value}


def _client(api: API, api_key: Secret[str], options: dict[str, Any]) -> Any:
    """Return a client, or why it cannot be made: the error itself has frames that hold the key."""
    from ..errors import ConfigurationError
    from .operation_values import told_by_options

    kinds: Iterable[Any] = vars(import_module(f"{api.package}.client")).values()
    make = next(kind for kind in kinds if isinstance(kind, type) and vars(kind).get("api") is api)
    try:
        return make(api_key, **options)
    except ConfigurationError as error:
        return told_by_options(str(error), _options_of(api))


def _options_of(api: API) -> Mapping[str, str]:
    """Return the option of each of a client's arguments that a command has."""
    names = ("base_url", "proxy", "timeout", *(each.name for each in api.parameters))
    return {name: _option(name) for name in names}
