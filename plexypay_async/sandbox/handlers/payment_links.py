"""The payment-link operations, as the sandbox does them.

Evidence: paths, bodies and states as the library's declarations have them (see
`plexypay_async.pay.payment_links`). Which values the vendor refuses, and with which words, is not published;
the sandbox refuses impossible values. The answer of the statistics is assumed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial

from ..clock import read_time
from ..exchange import ApiRequest, ApiResponse, Fields, json_text
from ..state.links import OrderReferenceTakenError, StoredLink
from .group import GroupHandlers

__all__ = ["PaymentLinksHandlers"]


class PaymentLinksHandlers(GroupHandlers):
    """What the sandbox does for each payment-link operation."""

    source = "paymentLinks"
    noun = "payment link"

    def create(self, request: ApiRequest) -> ApiResponse:
        """Make a link; its order reference must be new."""
        link = self._new(Fields(request.body, source=self.source))
        try:
            self._state.links.add(link)
        except OrderReferenceTakenError:
            raise self._refusal(5, "payment link with provided order reference already exists") from None
        return self._shown(link, 201)

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the links, the newest first."""
        query = request.query
        page = self._page(request)
        status = query.get("status")
        find = partial(
            self._state.links.search,
            status=None if status is None else status.lower(),
            created_from=self._moment(query, "from"),
            created_to=self._moment(query, "to"),
        )
        return page.response(find, StoredLink.summary)

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one link."""
        return self._shown(self._known(request))

    def retrieve_by_order_reference(self, request: ApiRequest) -> ApiResponse:
        """Return the link with an order reference."""
        link = self._state.links.find_by("order_reference", request.path["order_reference"])
        return self._shown(self._found(link))

    def update_expiration(self, request: ApiRequest) -> ApiResponse:
        """Move the time at which an active link expires."""
        fields = Fields(request.body, source=self.source)
        link = self._known(request)
        expires_at = fields.given("expiresAt", self._future(fields, "expiresAt"))
        if link.status != "active":
            raise self._refusal(5, f"status: a link that is {link.status} cannot be given another expiration")
        self._state.links.set_expiration(link.id, expires_at)
        return self._shown(self._known(request))

    def cancel(self, request: ApiRequest) -> ApiResponse:
        """Cancel an active link."""
        link = self._known(request)
        if link.status != "active":
            raise self._refusal(5, f"status: a link that is {link.status} cannot be cancelled")
        self._state.links.set_status(link.id, "cancelled")
        return self._shown(self._known(request))

    def statistics(self, _: ApiRequest) -> ApiResponse:
        """Return how many links there are, and the sum of their amounts, by state and currency."""
        data = [
            {"status": status, "count": count, "amount": amount, "currency": currency}
            for status, currency, count, amount in self._state.links.statistics()
        ]
        return ApiResponse(200, {"data": data})

    def _new(self, fields: Fields) -> StoredLink:
        amount = fields.minor_units("amount")
        order_reference = fields.text("orderReference")
        if order_reference == "":
            raise fields.bad_value("orderReference", "must not be empty")
        now = self._state.links.second()
        return StoredLink(
            id=f"pl_{secrets.token_hex(16)}",
            status="active",
            created_at=now,
            updated_at=now,
            amount=amount,
            currency=fields.currency("currency"),
            description=fields.text("description"),
            order_reference=order_reference,
            expires_at=self._future(fields, "expiresAt"),
            customer_id=fields.text("customerId"),
            metadata=self._kept(fields, "metadata"),
            recurring=self._recurring(fields),
            auto_clearing=fields.boolean("autoClearing") is not False,
            validation=fields.boolean("validation") is True,
        )

    def _future(self, fields: Fields, name: str) -> int | None:
        moment = fields.time(name)
        if moment is not None and moment <= self._state.clock.microseconds():
            raise fields.bad_value(name, f"is in the past: {fields.text(name)}")
        return moment

    def _recurring(self, fields: Fields) -> str | None:
        recurring = fields.nested("recurring")
        if recurring is None:
            return None
        recurring.given("type", recurring.text("type"))
        frequency = recurring.integer("frequency")
        if frequency is not None:
            recurring.check_positive("frequency", frequency)
        recurring.time("expiry")
        recurring.text("parentTransactionId")
        return self._kept(fields, "recurring")

    def _kept(self, fields: Fields, name: str) -> str | None:
        document = fields.object(name)
        return None if document is None else json_text(document, name=name, source=self.source)

    def _moment(self, query: Mapping[str, str], name: str) -> int | None:
        text = query.get(name)
        if text is None:
            return None
        try:
            return read_time(text)
        except (ValueError, OverflowError):
            raise self._refusal(
                3,
                f"{name}: expected an ISO 8601 time with a zone such as 2025-03-01T00:00:00Z,"
                f" got {text[:60]!r}",
            ) from None

    def _known(self, request: ApiRequest) -> StoredLink:
        return self._found(self._state.links.find(request.path["external_id"]))

    def _shown(self, link: StoredLink, status: int = 200) -> ApiResponse:
        return ApiResponse(status, link.whole(self._base_url))
