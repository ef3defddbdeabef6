"""Payment links: a page of the vendor's where a customer pays one order.

Evidence: the vendor's page "Pay By Link API" (26 August 2025) for every call but two, whose paths are
assumed: the retrieval by order reference and the statistics. Amounts are integers of **minor** units in
requests and answers (22 000 KZT is ``2200000``). Times are UTC.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import attrs

from .._composed_docs import help_shows_fields
from .._privacy.hiding import shown
from ..api.checks import check_bool
from ..api.constructors import quickly_made
from ..api.facades import F
from ..api.operation import (
    Bulk,
    Confirmation,
    Ensured,
    Evidence,
    Listing,
    LookUp,
    Operation,
    Resource,
    optionally,
)
from ..api.replay import Replay
from ..errors import ConfigurationError, Outcome, PlexyPayError, UnreadableResponseError
from ..json_form import JSONResult
from .description import PAY
from .links import (
    CancelPaymentLink,
    CreateOrRetrievePaymentLink,
    CreatePaymentLink,
    ListPaymentLinks,
    PaymentLink,
    PaymentLinkStatistics,
    PaymentLinkStatus,
    PaymentLinkSummary,
    Recurring,
    RecurringType,
    RetrievePaymentLink,
    RetrievePaymentLinkByOrderReference,
    RetrievePaymentLinkStatistics,
    UpdatePaymentLinkExpiration,
)

if TYPE_CHECKING:
    from ..bulk.journal import Journal

LARGEST_RATE = 1e9
"""Requests per second; no rate above it could be told from none."""

__all__ = [
    "BulkResult",
    "CancelPaymentLink",
    "CreateManyPaymentLinks",
    "CreateOrRetrievePaymentLink",
    "CreatePaymentLink",
    "JobProgress",
    "ListPaymentLinks",
    "PaymentLink",
    "PaymentLinkStatistics",
    "PaymentLinkStatus",
    "PaymentLinkSummary",
    "PaymentLinks",
    "Recurring",
    "RecurringType",
    "RetrievePaymentLink",
    "RetrievePaymentLinkByOrderReference",
    "RetrievePaymentLinkStatistics",
    "UpdatePaymentLinkExpiration",
]


@help_shows_fields
@attrs.frozen(kw_only=True)
class JobProgress(JSONResult):
    """How far a run of `create_many` is, and why it goes at the pace that it goes at."""

    created: int
    """Links that this run has made."""
    recovered: int
    """Links that were there: found again, or known from the journal, or of an earlier equal row."""
    failed: int
    """Rows that have ended in an error, those that repeat another included."""
    under_way: int
    """Rows that have begun and have no result yet; their pauses before another attempt count."""
    limit: int
    """How many requests may be under way at once, in all jobs of the client that have no concurrency of
    their own. Short steps up and down, by which the pace tries what is around it, are left out."""
    reason: str
    """Why the limit is what it is, such as ``more fails above 50 at once than below``. For people to read:
    its words may change."""


@attrs.frozen
class CreateManyPaymentLinks:
    """Create a payment link for each of many requests; results come as they are done.

    Only a window of the job is in memory. Without a journal, the order references of its latest 30,000 rows
    are too, and the others in a temporary file; with a journal they are in its file. The source is read no
    further ahead than the consumer keeps up; leaving the loop stops the job, and closes a source that
    is a generator. An exception of the source reaches the caller once the links under way are settled. What
    no row can survive, such as a key that is refused, ends the job: once each row that was read has its
    result, those not sent with `NOT_SENT`, it is raised.

    A row that the API refuses since its order reference exists yields the link that has it, `recovered`, if
    amount and currency are equal, and else a conflict. No two rows of a job share a link, unless the later
    one says so in `repeats`. Without a journal, a row whose reference an earlier row has is not sent: it has
    no link, the earlier row's index in `repeats`, and an error with the outcome `NOT_SENT`. It is sent if
    that row has failed before, so that nothing was made for it.

    With a `journal` the job can be killed at any instant and run again: each order reference ends up with
    one link. Rows that are done come back from it without a request, rows that may have been sent are looked
    up first. Every row then needs an order reference; one that repeats a reference with equal content is
    created once and reported each time, with the earlier one in `repeats`; one with other content is refused.

    Args:
        links: The requests, from an iterable or an async iterable.
        concurrency: How many are under way at once, at most the client's `max_connections`. Unless given, it
            adapts to what the server takes, for all jobs of the client together.
        max_rate: Requests per second at the most, of all jobs of the client that have a rate together.
        journal: A `Journal`, or the path of one; it is made if it is not there.
        ordered: Yield the results in the order of the requests.
        timeout: Seconds for one link; an outage in the middle of a job is ridden out as long.
        on_progress: Called with a `JobProgress` about twice a second, within a tenth of a second after the
            limit's reason has changed, and with the sums before the job ends. `PlexyPay` calls it in the
            caller's thread, between two results. It should return soon, for results wait meanwhile. An
            exception that it raises ends the job like one of the source: nothing more is read, what is under
            way is settled, each row that was read has its result, and then it is raised.

    Returns:
        A `BulkResult` for each request.

    Raises:
        ConfigurationError: An argument is unusable, or the journal is not this account's or damaged; nothing
            was sent. Or the journal cannot be written any more, or was removed or replaced meanwhile, or the
            client was closed.
        PlexyPayError: What no row can survive.
    """

    links: Iterable[CreatePaymentLink] | AsyncIterable[CreatePaymentLink]
    concurrency: int | None = attrs.field(default=None, kw_only=True)
    max_rate: float | None = attrs.field(default=None, kw_only=True)
    journal: Journal | str | os.PathLike[str] | None = attrs.field(default=None, kw_only=True)
    ordered: bool = attrs.field(default=False, kw_only=True)
    timeout: float = attrs.field(default=600.0, kw_only=True)
    on_progress: Callable[[JobProgress], object] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.on_progress is not None and not callable(self.on_progress):
            raise ConfigurationError(
                f"on_progress: expected a function, got {type(self.on_progress).__name__}"
            )
        if not isinstance(self.links, (Iterable, AsyncIterable)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"links: expected an iterable, got {type(self.links).__name__}")
        if self.concurrency is not None and (type(self.concurrency) is not int or self.concurrency < 1):
            raise ConfigurationError(
                f"concurrency: expected an int of at least 1, got {shown(self.concurrency)}"
            )
        rate = self.max_rate
        if rate is not None and (type(rate) not in (int, float) or not 0 < rate <= LARGEST_RATE):
            raise ConfigurationError(f"max_rate: expected a positive number of requests, got {shown(rate)}")
        if type(self.timeout) not in (int, float):
            raise ConfigurationError(f"timeout: expected seconds, got {type(self.timeout).__name__}")
        check_bool("ordered", self.ordered)


@attrs.frozen
class _SyncCreateManyPaymentLinks(CreateManyPaymentLinks):
    links: Iterable[CreatePaymentLink]

    __doc__ = (CreateManyPaymentLinks.__doc__ or "").replace(" or an async iterable", "")


@help_shows_fields
@quickly_made
@attrs.frozen(kw_only=True, weakref_slot=False)
class BulkResult(JSONResult):
    """What became of one request of `create_many`: a link or an error, never both.

    An error with the outcome `DONE` says that the link exists and its answer cannot be read as a whole:
    `link_id` and `url` are what could be read of it. A link that may be another order's, as one with another
    amount, is told by the error alone: `error.link_id`.
    """

    index: int
    """The request's position in its source, from 0."""
    request: CreatePaymentLink
    """The request that it is the result of."""
    link: PaymentLink | None = None
    """The link of that request; None where there is an error."""
    error: PlexyPayError | None = None
    """Why there is no link to show; its `outcome` says whether one may exist."""
    recovered: bool = False
    """Whether the link was found rather than created: its answer was lost, or an earlier run made it, or its
    order reference existed already with the same amount and currency."""
    from_journal: bool = False
    """Whether the link comes from the journal, without a request: an earlier run had settled the row."""
    retries: int = 0
    """How often the create was sent again."""
    repeats: int | None = None
    """The `index` of an earlier request of this job with the same order reference; None for a request of its
    own. With a journal the content is the same too, and the link is that one's; without one it is not
    compared, and there is no link and an error."""

    @property
    def link_id(self) -> str | None:
        """The link's `id`, also where the answer has it and cannot be read as a whole; else None."""
        return _told_of(self, "id")

    @property
    def url(self) -> str | None:
        """The link's `url`, also where the answer has it and cannot be read as a whole; else None.

        In that case `error` says which field could not be read: the link's amount may not have been seen.
        """
        return _told_of(self, "url")


def _told_of(result: BulkResult, name: str) -> str | None:
    link, error = result.link, result.error
    if link is not None:
        return link.id if name == "id" else link.url
    if not isinstance(error, UnreadableResponseError) or error.outcome is not Outcome.DONE:
        return None
    return error.link_id if name == "id" else error.link_url


_NO_LINK = (
    "The id is that of a link (pl_...): payment_links.retrieve_by_order_reference finds a link by its"
    " order's reference."
)


class PaymentLinks(Resource[F], api=PAY):
    """Create, list, find, move and cancel payment links."""

    list: Final = Listing(
        "/v1/payment-links", ListPaymentLinks, PaymentLinkSummary, evidence=Evidence.PUBLISHED
    )
    retrieve: Final = Operation(
        "GET",
        "/v1/payment-links/{external_id}",
        RetrievePaymentLink,
        PaymentLink,
        evidence=Evidence.PUBLISHED,
        echoes={"external_id": "id"},
        notes={4: _NO_LINK},
    )
    retrieve_by_order_reference: Final = Operation(
        "GET",
        "/v1/payment-links/by-order-reference/{order_reference}",
        RetrievePaymentLinkByOrderReference,
        PaymentLink,
        evidence=Evidence.ASSUMED,
        echoes={"order_reference": "order_reference"},
    )
    create: Final = Operation(
        "POST",
        "/v1/payment-links",
        CreatePaymentLink,
        PaymentLink,
        evidence=Evidence.PUBLISHED,
        replay=Replay.AFTER_LOOKUP,
        created=Evidence.OBSERVED,
        echoes={"order_reference": "order_reference", "amount": "amount", "currency": "currency"},
        look_up=LookUp(
            retrieve_by_order_reference,
            by="order_reference",
            same=("amount", "currency"),
            dead=("cancelled", "expired"),
            listing=list,
            retrieve=retrieve,
        ),
    )
    create_or_retrieve: Final = Ensured(create, CreateOrRetrievePaymentLink)
    create_many: Final = Bulk(CreateManyPaymentLinks, BulkResult, sync_options=_SyncCreateManyPaymentLinks)
    update_expiration: Final = Operation(
        "PATCH",
        "/v1/payment-links/{external_id}",
        UpdatePaymentLinkExpiration,
        PaymentLink,
        evidence=Evidence.PUBLISHED,
        echoes={"external_id": "id"},
        notes={4: _NO_LINK},
    )
    cancel: Final = Operation(
        "DELETE",
        "/v1/payment-links/{external_id}",
        CancelPaymentLink,
        optionally(PaymentLink, known_by="id"),
        evidence=Evidence.PUBLISHED,
        confirmation=Confirmation(
            retrieve,
            attribute="status",
            wanted="cancelled",
            before="active",
            final=("paid", "expired"),
            short=("url",),
        ),
        echoes={"external_id": "id"},
        notes={
            4: _NO_LINK,
            5: "A link that is cancelled, paid or expired cannot be cancelled. Nothing has changed:"
            " payment_links.retrieve shows its state.",
        },
    )
    statistics: Final = Operation(
        "GET",
        "/v1/payment-links/statistics",
        RetrievePaymentLinkStatistics,
        PaymentLinkStatistics,
        evidence=Evidence.ASSUMED,
    )
