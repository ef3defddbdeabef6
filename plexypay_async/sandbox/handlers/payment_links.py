"""The payment-link operations, as the sandbox does them.

Evidence: paths, bodies and states as the library's declarations have them (see
`plexypay_async.api.payment_links`). Which values the vendor refuses, and with which words, is not published;
the sandbox refuses what cannot be. The answer of the statistics is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from ..clock import Clock, read_time
from ..exchange import Answer, Call, Fields, Handler, Refusal
from ..paging import PageQuery
from ..state.links import LinkDraft, LinkStore, OrderReferenceTakenError, StoredLink

__all__ = ["PaymentLinkHandlers"]

_SOURCE = "paymentLinks"
_LARGEST = 2**63 - 1


class PaymentLinkHandlers:
    """What the sandbox does for each payment-link operation."""

    def __init__(self, store: LinkStore, clock: Clock, *, base_url: str, max_page_size: int) -> None:
        self._store = store
        self._clock = clock
        self._base_url = base_url
        self._max_page_size = max_page_size

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handlers by the names of their declarations."""
        return {
            "create": self.create,
            "list": self.list,
            "retrieve": self.retrieve,
            "retrieve_by_order_reference": self.retrieve_by_order_reference,
            "update_expiration": self.update_expiration,
            "cancel": self.cancel,
            "statistics": self.statistics,
        }

    def create(self, call: Call) -> Answer:
        """Make a link; its order reference must be new."""
        draft = self._draft(Fields(call.body, source=_SOURCE))
        try:
            link = self._store.create(draft)
        except OrderReferenceTakenError:
            raise Refusal(
                5, "payment link with provided order reference already exists", source=_SOURCE
            ) from None
        return self._shown(link, 201)

    def list(self, call: Call) -> Answer:
        """Return one page of the links, the newest first."""
        query = call.query
        asked = PageQuery.read(query, most=self._max_page_size, source=_SOURCE)
        status = query.get("status")
        links, total = self._store.page(
            asked.offset,
            asked.size,
            status=None if status is None else status.lower(),
            created_from=_moment(query, "from"),
            created_to=_moment(query, "to"),
        )
        return asked.answer([link.summary() for link in links], total)

    def retrieve(self, call: Call) -> Answer:
        """Return one link."""
        return self._shown(self._known(call))

    def retrieve_by_order_reference(self, call: Call) -> Answer:
        """Return the link with an order reference."""
        link = self._store.find_by_order_reference(call.path["order_reference"])
        if link is None:
            raise Refusal(4, "payment link not found", source=_SOURCE)
        return self._shown(link)

    def update_expiration(self, call: Call) -> Answer:
        """Move the time at which an active link expires."""
        fields = Fields(call.body, source=_SOURCE)
        link = self._known(call)
        expires_at = self._future(fields, "expiresAt")
        if expires_at is None:
            raise fields.missing("expiresAt")
        if link.status != "active":
            raise Refusal(
                5, f"status: a link that is {link.status} cannot be given another expiration", source=_SOURCE
            )
        self._store.set_expiration(link.id, expires_at)
        return self._shown(self._known(call))

    def cancel(self, call: Call) -> Answer:
        """Cancel an active link."""
        link = self._known(call)
        if link.status != "active":
            raise Refusal(5, f"status: a link that is {link.status} cannot be cancelled", source=_SOURCE)
        self._store.set_status(link.id, "cancelled")
        return self._shown(self._known(call))

    def statistics(self, call: Call) -> Answer:
        """Return how many links there are, and the sum of their amounts, by state and currency."""
        del call
        data = [
            {"status": status, "count": count, "amount": amount, "currency": currency}
            for status, currency, count, amount in self._store.statistics()
        ]
        return Answer(200, {"data": data})

    def whole(self, identifier: str) -> Answer:
        """Return one link, by its id."""
        return self._shown(self._found(identifier))

    def stored(self, page: int, size: int) -> Answer:
        """Return one page of the links as they are whole, the newest first."""
        asked = PageQuery(page, size)
        links, total = self._store.page(asked.offset, asked.size)
        return asked.answer([link.whole(self._base_url) for link in links], total)

    def _draft(self, fields: Fields) -> LinkDraft:
        amount = fields.integer("amount")
        currency = fields.text("currency")
        if amount is None:
            raise fields.missing("amount")
        if currency is None:
            raise fields.missing("currency")
        description = fields.text("description")
        order_reference = fields.text("orderReference")
        customer_id = fields.text("customerId")
        metadata = fields.object("metadata")
        auto_clearing = fields.boolean("autoClearing")
        validation = fields.boolean("validation")
        if amount <= 0:
            raise fields.bad_value("amount", f"must be positive, got {amount}")
        if amount > _LARGEST:
            raise fields.bad_value("amount", f"too large: {amount}")
        if re.fullmatch("[A-Za-z]{3}", currency) is None:
            raise fields.bad_value("currency", f"expected three letters such as KZT, got {currency[:60]!r}")
        if order_reference == "":
            raise fields.bad_value("orderReference", "must not be empty")
        return LinkDraft(
            amount=amount,
            currency=currency,
            description=description,
            order_reference=order_reference,
            expires_at=self._future(fields, "expiresAt"),
            customer_id=customer_id,
            metadata=None if metadata is None else _kept(metadata, "metadata"),
            recurring=_recurring(fields),
            auto_clearing=auto_clearing is not False,
            validation=validation is True,
        )

    def _future(self, fields: Fields, name: str) -> int | None:
        moment = fields.time(name)
        if moment is not None and moment <= self._clock.microseconds():
            raise fields.bad_value(name, f"is in the past: {fields.text(name)}")
        return moment

    def _known(self, call: Call) -> StoredLink:
        return self._found(call.path["external_id"])

    def _found(self, identifier: str) -> StoredLink:
        link = self._store.find(identifier)
        if link is None:
            raise Refusal(4, "payment link not found", source=_SOURCE)
        return link

    def _shown(self, link: StoredLink, status: int = 200) -> Answer:
        return Answer(status, link.whole(self._base_url))


def _recurring(fields: Fields) -> str | None:
    recurring = fields.nested("recurring")
    if recurring is None:
        return None
    if recurring.text("type") is None:
        raise recurring.missing("type")
    frequency = recurring.integer("frequency")
    if frequency is not None and frequency <= 0:
        raise recurring.bad_value("frequency", f"must be positive, got {frequency}")
    recurring.time("expiry")
    recurring.text("parentTransactionId")
    document: dict[str, Any] | None = fields.object("recurring")
    return None if document is None else _kept(document, "recurring")


def _kept(document: dict[str, Any], name: str) -> str:
    try:
        return orjson.dumps(document).decode()
    except TypeError:
        raise Refusal(3, f"{name}: nested too deep", source=_SOURCE) from None


def _moment(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return read_time(text)
    except (ValueError, OverflowError):
        raise Refusal(
            3,
            f"{name}: expected an ISO 8601 time with a zone such as 2025-03-01T00:00:00Z, got {text[:60]!r}",
            source=_SOURCE,
        ) from None
