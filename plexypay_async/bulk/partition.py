"""A function that creates the payment links of one partition, for distributed engines (Dask, Ray, Spark).

The engine schedules, repeats and gathers; this module only does what one worker does with its rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast

import attrs

from .._core.decision import may_be_taken
from .._privacy.secret import Secret
from ..errors import APIError, ConfigurationError, Outcome, PlexyPayError
from ..pay.description import PAY
from ..pay.payment_links import BulkResult, CreateManyPaymentLinks, CreatePaymentLink
from ..settings import KEPT_ALIVE, LARGEST_RESPONSE, LONGEST_HEADER, APIKey, RetryPolicy
from .columns import BadRowError, is_mapping, reference_in, request_of, shown
from .frames import without_job_frames

if TYPE_CHECKING:
    from ..pay.client import AsyncPlexyPay

__all__ = ["PartitionRecord", "PartitionSettings", "create_partition"]

T = TypeVar("T")

_NOT_OF_CLIENT = ("api_key", "api_key_variable", "concurrency", "max_rate", "timeout")
"""The settings of a partition that its client does not take as they are."""

_MAJOR = 'amounts="major"'


def _hidden(api_key: APIKey | Secret[str] | None) -> Secret[str] | Callable[[], str] | None:
    return Secret(api_key) if isinstance(api_key, str) else api_key


def _hidden_proxy(proxy: str | Secret[str] | None) -> Secret[str] | None:
    return Secret(proxy) if isinstance(proxy, str) else proxy


def _path(given: Any) -> str | os.PathLike[str] | None:
    if given is None or isinstance(given, (str, os.PathLike)):
        return cast("str | os.PathLike[str] | None", given)
    raise ConfigurationError(
        f"ssl: expected the path of a CA bundle, got {type(given).__name__}, which does not travel to workers"
    )


@attrs.frozen(kw_only=True)
class PartitionSettings:
    """What a worker needs to create links: it pickles, with its key, and shows the key nowhere else.

    Args:
        api_key: The key, or a picklable function that returns it. Given, it travels to the workers with every
            partition: rather leave it out, and set `api_key_variable` in their environment.
        api_key_variable: The environment variable that a worker reads the key from if `api_key` is not given.
        base_url: ``PLEXYPAY_BASE_URL`` of the worker, or the vendor's host, unless given.
        concurrency: Requests under way at once for each partition under way. Unless given, it adapts to what
            the server takes, for each partition by itself.
        max_rate: Requests per second at the most, for each partition under way.
        timeout: Seconds for one link; an outage is ridden out as long.
        connect_timeout: Seconds for making a connection.
        read_timeout: Seconds of silence after which an attempt is given up.
        keepalive_timeout: Seconds that an idle connection is kept.
        max_connections: Connections for each partition under way.
        max_response_size: Bytes of an answer's body, decompressed, above which it is not read.
        max_header_size: Bytes of one header of an answer above which it is not read.
        retry: When and how often calls are repeated.
        paths: Other paths for operations, by name.
        trust_env: Take the proxy from the worker's environment.
        proxy: The URL of the http proxy that leads to the API. It travels to the workers with its password.
        ssl: The path of a bundle of authorities (PEM) on the worker, to trust in place of the system's.
        default_headers: Further headers of each request.
        app_info: The name and the version of your program, for the User-Agent.
        allow_http: Allow plain http to another machine, for a sandbox.
    """

    api_key: Secret[str] | Callable[[], str] | None = attrs.field(default=None, repr=False, converter=_hidden)
    api_key_variable: str = PAY.key_variable
    base_url: str | None = None
    concurrency: int | None = None
    max_rate: float | None = None
    timeout: float = 600.0
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    keepalive_timeout: float = KEPT_ALIVE
    max_connections: int = 100
    max_response_size: int = LARGEST_RESPONSE
    max_header_size: int = LONGEST_HEADER
    retry: RetryPolicy = attrs.Factory(RetryPolicy)
    paths: Mapping[str, str] | None = None
    trust_env: bool = False
    proxy: Secret[str] | None = attrs.field(default=None, repr=False, converter=_hidden_proxy)
    ssl: str | os.PathLike[str] | None = attrs.field(default=None, converter=_path)
    default_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    app_info: tuple[str, str | None] | None = None
    allow_http: bool = False

    @classmethod
    def of(cls, settings: PartitionSettings | Mapping[str, Any]) -> PartitionSettings:
        """Return settings that were given as an object or as a mapping.

        Raises:
            ConfigurationError: They are neither, or an option is unknown.
        """
        if isinstance(settings, cls):
            return settings
        known = [field.name for field in attrs.fields(cls)]
        wrong = None
        if not isinstance(settings, Mapping):
            wrong = f"expected PartitionSettings or a mapping, got {type(settings).__name__}"
        elif unknown := sorted(str(name) for name in settings if name not in known):
            wrong = f"unknown {', '.join(unknown)}; known are {', '.join(known)}"
        else:
            return cls(**settings)
        # A traceback that shows local variables would show the key.
        del settings
        raise ConfigurationError(f"settings: {wrong}")

    def __reduce__(self) -> tuple[Any, ...]:
        # A secret does not pickle, and a worker needs its text.
        options = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
        key, proxy = options.pop("api_key"), options.pop("proxy")
        return _restored, (
            type(self),
            options,
            key.reveal() if isinstance(key, Secret) else key,
            proxy.reveal() if isinstance(proxy, Secret) else None,
        )

    def client(self) -> AsyncPlexyPay:
        """Return a client with these settings.

        Raises:
            ConfigurationError: There is no key, or an option is unusable.
        """
        from ..pay.client import AsyncPlexyPay

        key = self.api_key
        if key is None:
            key = Secret(os.environ.get(self.api_key_variable, ""))
            if not key:
                raise ConfigurationError(f"no API key: set {self.api_key_variable} on the worker")
        names = [field.name for field in attrs.fields(type(self)) if field.name not in _NOT_OF_CLIENT]
        return AsyncPlexyPay(key, **{name: getattr(self, name) for name in names})

    def job(self, links: Iterable[CreatePaymentLink]) -> CreateManyPaymentLinks:
        """Return the options of a bulk job with these settings."""
        return CreateManyPaymentLinks(
            links, concurrency=self.concurrency, max_rate=self.max_rate, timeout=self.timeout
        )


def _restored(
    cls: type[PartitionSettings],
    options: dict[str, Any],
    api_key: APIKey | None,
    proxy: str | None = None,
) -> PartitionSettings:
    return cls(**options, api_key=api_key, proxy=proxy)


class PartitionRecord(TypedDict):
    """What became of one row: a plain dict of strings, ints and None, a line of a data frame.

    Its keys are the columns of ``plexypay bulk-create --results``, with `index` for `line`.
    """

    index: int
    """The row's position in its partition, from 0."""
    order_reference: str | None
    """Your order's reference; None for a row without one."""
    outcome: str
    """``created``; ``recovered``: an earlier run or attempt made it, and its order reference found it;
    ``repeated``: an earlier row of the partition is the same, and this is its link;
    ``failed``: there is no link; ``unknown``: there may be one; ``invalid``: the row was bad and not sent."""
    link_id: str | None
    """The link's `id`; None where no link is known."""
    url: str | None
    """The address of its checkout page; None where none is known."""
    error: str | None
    """The name of the error's class, such as ``UnprocessableError``."""
    error_code: int | str | None
    """The API's error code, where its answer carried one."""
    error_message: str | None
    """What the error says; None where there is none."""


def create_partition(
    rows: Iterable[CreatePaymentLink | Mapping[str, Any]],
    settings: PartitionSettings | Mapping[str, Any],
    *,
    assume_unique: bool = False,
    amounts: Literal["minor", "major"] = "minor",
) -> list[PartitionRecord]:
    """Create a payment link for each row of one partition, on the worker that calls it.

    A plain function that pickles, for the map over partitions of a distributed engine. Each order reference
    is looked up before its link is created, so an engine may run a partition again, after any failure: what
    an earlier run has created is found and reported as ``recovered``. A reference that comes twice in a
    partition with equal content is created once, and reported as ``repeated`` from the second time on.

    Works where an event loop runs (a notebook) too; it blocks until the partition is done.

    Args:
        rows: `CreatePaymentLink` requests, or mappings of its keyword arguments, amounts in **minor** units.
            None, NaN, NaT and empty text mean "not given"; integers of NumPy are taken as they are and text
            of digits as a number, a float is refused as an amount; a time is an aware datetime or ISO 8601
            text with an offset. In a mapping, an order reference and a customer's id may have the marks that
            spreadsheets put around a text, ``="..."`` and a leading apostrophe; what a spreadsheet has
            spoilt, such as ``#N/A`` and ``1.23457E+12``, is refused. A reference that is not sent as it is
            spelt there, since it has such marks or is not in Unicode's form NFC, is first looked up as it is
            spelt: an earlier version has sent it so. The columns are those of
            ``plexypay bulk-create``, such as ``metadata.NAME`` for a key of the metadata. Every row needs an
            `order_reference`.
        settings: `PartitionSettings`, or a mapping of its fields. An engine may log a plain mapping as it is:
            put no key into one.
        assume_unique: Create without looking up first, for references that cannot exist yet. A partition that
            is run again then meets its own links: only the server's refusal of a repeated order reference is
            left to protect it. A row that is refused so is looked up: ``recovered``, if the link has its
            amount and currency, else ``failed``.
        amounts: What `amount` is in, in rows that are mappings: **minor** units (22 000 KZT is ``2200000``),
            or **major** ones as `Money.major` reads them, also with the row's currency beside them
            (``22 000,50 KZT``). `amount_major` is in major units in either case.

    Returns:
        A `PartitionRecord` for each row, in the order of the rows. Where no row can be created, for instance
        since the key is refused, the rows that were not sent are ``failed``, and `error_message` says so.

    Raises:
        ConfigurationError: `settings` or `amounts` are unusable, or `rows` are no iterable of rows; nothing
            was sent.
        BaseException: What iterating over `rows` raises, once the links under way are settled.
    """
    failure: BaseException
    try:
        _check_rows(rows)
        major = _is_major(amounts)
        # Under no name: a traceback would show the settings and the rows in it.
        return _run(
            _Partition(PartitionSettings.of(settings), look_first=not assume_unique, major=major).create(rows)
        )
    except BaseException as error:  # noqa: BLE001 - raised below
        failure = without_job_frames(error, of_caller=not isinstance(error, PlexyPayError))
    # A traceback that shows local variables would show rows, and the key of a mapping.
    del rows, settings
    try:
        raise failure
    finally:
        del failure


def _check_rows(rows: Any) -> None:
    told = f"rows: expected an iterable of rows, got {type(rows).__name__}"
    if isinstance(rows, (str, bytes, Mapping)) or hasattr(rows, "columns"):  # pyright: ignore[reportUnknownArgumentType]
        raise ConfigurationError(f'{told}; a data frame gives them with to_dict("records")')
    if not isinstance(rows, Iterable):
        raise ConfigurationError(told)


def _is_major(amounts: object) -> bool:
    if amounts not in ("minor", "major"):
        raise ConfigurationError(f"amounts: expected 'minor' or 'major', got {shown(amounts)}")
    return amounts == "major"


class _Partition:
    """Turns the rows of one partition into records."""

    def __init__(self, settings: PartitionSettings, *, look_first: bool, major: bool) -> None:
        self._settings = settings
        self._major = major
        self._look_first = look_first
        self._records: dict[int, PartitionRecord] = {}
        self._sent: list[int] = []
        """For each request that the job was given, the number of its row."""
        self._first: dict[str, tuple[int, CreatePaymentLink]] = {}
        self._repeats: list[tuple[int, int]] = []
        """Rows that repeat an earlier one, each with that one."""
        self._bad: dict[str, int] = {}
        """Order references of bad rows, each with the first."""
        self._spellings: dict[str, str] = {}
        """How references are spelt in their rows, where that is not as they are sent."""
        self._broken = False
        """Whether iterating over the rows has raised."""
        self._refused: list[BulkResult] = []
        """Results that may be due to an order reference that was taken meanwhile."""

    async def create(self, rows: Iterable[CreatePaymentLink | Mapping[str, Any]]) -> list[PartitionRecord]:
        from .unsent import not_sent

        async with self._settings.client() as client:
            requests = self._requests(self._read(rows))
            cut = await self._perform(client, requests)
            if cut is not None:
                for request in requests:
                    row = self._sent[-1]
                    self._record(row, not_sent(row, request, cut))
            refused, self._refused = self._refused, []
            if refused and self._look_first:
                # A worker that the engine took for lost may have gone on sending after the look-ups here.
                self._sent = [self._sent[result.index] for result in refused]
                await self._perform(client, (result.request for result in refused))
        for row, first in self._repeats:
            record = self._records[row] = {**self._records[first], "index": row}
            if record["link_id"] is not None:
                record["outcome"] = "repeated"
        return [self._records[row] for row in sorted(self._records)]

    async def _perform(
        self, client: AsyncPlexyPay, requests: Iterable[CreatePaymentLink]
    ) -> PlexyPayError | None:
        """Run a job; return the error that ended it before all rows were sent, if one did."""
        from .intake import RespeltLink
        from .job import BulkJob

        execution = client._execution  # pyright: ignore[reportPrivateUsage]
        # Not the generator itself: the job would close it, and the rows left in it are still needed.
        links = (
            request
            if (found := self._spellings.get(str(request.order_reference))) is None
            # An earlier version may have sent it so: under the reference of today it would get a second link.
            else RespeltLink(request, found)
            for request in requests
        )
        options = self._settings.job(cast("Iterable[CreatePaymentLink]", links))
        job = BulkJob(execution, options, look_first=self._look_first)
        try:
            async with contextlib.aclosing(job.results()) as results:
                async for result in results:
                    if isinstance(result.error, APIError) and may_be_taken(result.error, PAY.errors):
                        self._refused.append(result)
                    self._record(self._sent[result.index], result)
        except PlexyPayError as error:
            if self._broken or not job.cut:
                raise
            return error
        return None

    def _read(self, rows: Iterable[T]) -> Iterator[T]:
        try:
            yield from rows
        except GeneratorExit:
            raise
        except BaseException:
            self._broken = True
            raise

    def _requests(self, rows: Iterable[CreatePaymentLink | Mapping[str, Any]]) -> Iterator[CreatePaymentLink]:
        for row, given in enumerate(rows):
            try:
                request = _request_of(given, major=self._major)
                reference = request.order_reference
                if reference is None:
                    raise BadRowError("is empty: every row of a partition needs one", "order_reference")
                if reference in self._bad:
                    # Which of the rows with its reference is the order's, nobody knows.
                    raise _refused(reference, f"is also that of row {self._bad[reference]}, which is bad")
                first, equal = self._first.setdefault(reference, (row, request))
                if first == row:
                    self._sent.append(row)
                    spelling = reference_in(given) if self._look_first and is_mapping(given) else None
                    if spelling is not None and spelling != reference:
                        self._spellings[reference] = spelling
                    yield request
                elif equal == request:
                    self._repeats.append((row, first))
                else:
                    raise _refused(reference, f"came with other content in row {first}")
            except BadRowError as error:
                if error.order_reference is not None and error.order_reference not in self._first:
                    self._bad.setdefault(error.order_reference, row)
                invalid = ConfigurationError(str(error))
                self._records[row] = _record(row, error.order_reference, "invalid", error=invalid)

    def _record(self, row: int, result: BulkResult) -> None:
        reference, error = result.request.order_reference, result.error
        link = result.link
        id, url = (result.link_id, result.url) if link is None else (link.id, link.url)
        if id is not None and url is not None:
            # With an error where another field of the answer could not be read.
            record = _record(row, reference, "recovered" if result.recovered else "created", error=error)
            record["link_id"], record["url"] = id, url
        else:
            # DONE means that the link exists, but its address is not known: that has to be looked up too.
            lost = error is not None and error.outcome in (Outcome.UNKNOWN, Outcome.DONE)
            record = _record(row, reference, "unknown" if lost else "failed", error=error)
        self._records[row] = record


def _refused(reference: str, why: str) -> BadRowError:
    refused = BadRowError(f"{reference!r} {why}", "order_reference")
    refused.order_reference = reference
    return refused


def _record(
    row: int, reference: str | None, outcome: str, *, error: PlexyPayError | None = None
) -> PartitionRecord:
    return PartitionRecord(
        index=row,
        order_reference=reference,
        outcome=outcome,
        link_id=None,
        url=None,
        error=None if error is None else type(error).__name__,
        error_code=error.code if isinstance(error, APIError) else None,
        error_message=None if error is None else str(error),
    )


# --------------------------------------------------------------------------------------------------- rows


def _request_of(row: Any, *, major: bool) -> CreatePaymentLink:
    """Return the request that a row stands for.

    Raises:
        BadRowError: It stands for none.
    """
    if isinstance(row, CreatePaymentLink):
        return row
    if not is_mapping(row):
        raise BadRowError(f"expected a CreatePaymentLink or a mapping, got {type(row).__name__}")
    return request_of(row, major=major, option=_MAJOR)


# ---------------------------------------------------------------------------------------------- event loop


def _run(work: Coroutine[Any, Any, list[PartitionRecord]]) -> list[PartitionRecord]:
    """Run a coroutine on an event loop of its own; if one runs in this thread, in a thread of its own."""
    if asyncio._get_running_loop() is None:
        return asyncio.run(work)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> list[PartitionRecord]:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="plexypay-partition") as thread:
        done = thread.submit(contextvars.copy_context().run, asyncio.run, main())
        try:
            return done.result()
        except BaseException:
            if not done.done():
                # This thread was interrupted: the job is stopped before the interrupt is raised.
                loop, task = started.result()
                if task is not None:
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(task.cancel)
            raise
