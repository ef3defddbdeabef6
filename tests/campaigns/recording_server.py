"""An API server, without a socket of its own, that keeps the truth: what was done, for which call, how often.

Every call of a campaign has a marker of its own, such as ``refund-17``, which all its requests carry: as an
id, a reference or a field of the body. By it the server's record is compared with what the call was told.

A marker with ``-paid-`` in it stands for something that the server truthfully refuses to change, and one with
``-absent-`` for something that is not there.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

import attrs
import orjson

__all__ = ["SENT_AT", "Answer", "Asked", "Record", "RecordingServer", "api_error"]

SENT_AT = "x-sent-at"
"""The header in which a campaign tells when a request was sent."""

KNOWN_REFERENCE = "known-reference"
"""Of a link that was there before any call, by which a client's look-up can prove itself."""


@attrs.frozen
class Answer:
    """What is answered: a status and a JSON document, or no body where that is None."""

    status: int
    document: Any = None

    @property
    def body(self) -> bytes:
        return b"" if self.document is None else orjson.dumps(self.document)


@attrs.frozen
class Asked:
    """A request, with the operation that it asks for and the marker of the call that it belongs to."""

    method: str
    operation: str
    marker: str
    target: str
    fields: dict[str, Any]
    key: str | None
    """The header ``Idempotency-Key``."""
    sent_at: float | None = None
    """The time at which the client sent it, where a `SendingClock` has told."""

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


class Record:
    """What has come to pass, by marker."""

    def __init__(self, *, keeps_history: bool = True) -> None:
        self.done: Counter[str] = Counter()
        """How often the work of each call was done: a refusal is none."""
        self.made: dict[str, list[dict[str, Any]]] = {}
        """The links that each order reference or description has."""
        self.excused: Counter[str] = Counter()
        """How often the API's own code 2 allowed a repeat after the work was done."""
        self.history: dict[str, list[str]] = {}
        """What befell the requests of each call, in their order."""
        self._keeps_history = keeps_history

    def note(self, marker: str, event: str) -> None:
        if self._keeps_history:
            self.history.setdefault(marker, []).append(event)


_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/v1/payment-links", "payment_links.create"),
    ("GET", "/v1/payment-links", "payment_links.list"),
    (
        "GET",
        "/v1/payment-links/by-order-reference/{id}",
        "payment_links.retrieve_by_order_reference",
    ),
    ("GET", "/v1/payment-links/{id}", "payment_links.retrieve"),
    ("PATCH", "/v1/payment-links/{id}", "payment_links.update_expiration"),
    ("DELETE", "/v1/payment-links/{id}", "payment_links.cancel"),
    ("GET", "/v1/transactions/{id}", "transactions.retrieve"),
    ("POST", "/v1/payments/recurring/merchant/initiated", "recurring.charge"),
    ("POST", "/v1/payments/{id}/refund", "payments.refund"),
    ("POST", "/v1/payments/{id}/capture", "payments.capture"),
    ("POST", "/v1/payments/{id}/cancel", "payments.cancel"),
    ("GET", "/v1/split-requests/{id}", "split_requests.retrieve"),
    ("PUT", "/v1/split-requests/{id}", "split_requests.update"),
    ("DELETE", "/v1/split-requests/{id}", "split_requests.delete"),
    ("PUT", "/v1/merchants/beneficiaries/{id}", "beneficiaries.update"),
    ("GET", "/v1/merchants/beneficiaries/{id}", "beneficiaries.retrieve"),
    ("POST", "/v1/merchants/settlement-payment-orders", "settlement_orders.create"),
    ("POST", "/v1/payouts", "payouts.create"),
    ("POST", "/v1/customers", "customers.create"),
    ("POST", "/v1/wallet/authorize", "wallet.authorize"),
)
_PATTERNS = [
    (method, re.compile(path.replace("{id}", "([^/]+)")), operation) for method, path, operation in _ROUTES
]


class RecordingServer:
    """Does what it is asked, and records it."""

    def __init__(self, *, keeps_history: bool = True) -> None:
        self.record = Record(keeps_history=keeps_history)
        self._links: dict[str, dict[str, Any]] = {}
        self._by_reference: dict[str, dict[str, Any]] = {}
        self._deleted: set[str] = set()
        self._by_key: dict[str, dict[str, Any]] = {}
        self._made = 0
        self._known = self._add_link({"amount": 1, "currency": "KZT", "orderReference": KNOWN_REFERENCE})

    def asked(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Asked:
        """Tell what a request asks for, and which call it belongs to."""
        path = target.partition("?")[0]
        operation, matched = next(
            (operation, matched)
            for expected, pattern, operation in _PATTERNS
            if expected == method and (matched := pattern.fullmatch(path)) is not None
        )
        fields: dict[str, Any] = orjson.loads(body) if body else {}
        id = unquote(matched.group(1)) if matched.groups() else None
        known = self._links.get(id or "")
        if known is not None:
            marker = known.get("orderReference") or known.get("description")
        else:
            marker = id or next(
                (
                    fields[name]
                    for name in ("orderReference", "description", "cardTokenId", "beneficiary_id", "marker")
                    if name in fields
                ),
                "a listing",
            )
        at = headers.get(SENT_AT)
        sent_at = None if at is None else float(at)
        return Asked(method, operation, str(marker), path, fields, headers.get("idempotency-key"), sent_at)

    def perform(self, asked: Asked) -> Answer:
        """Do the work, now."""
        marker = asked.marker
        if "-absent-" in marker:
            return api_error(4)
        match asked.operation:
            case "payment_links.create":
                return self._create_link(asked)
            case "payment_links.list":
                return self._listing()
            case "payment_links.retrieve_by_order_reference":
                found = self._by_reference.get(marker)
                return api_error(4) if found is None else Answer(200, found)
            case "payment_links.retrieve":
                return Answer(200, self._link_of(asked))
            case "payment_links.update_expiration":
                return self._update_link(asked)
            case "payment_links.cancel":
                return self._cancel_link(asked)
            case "transactions.retrieve":
                return Answer(200, {"transactionId": marker, "status": "charged", "amount": 1})
            case "split_requests.retrieve" | "beneficiaries.retrieve":
                return api_error(4) if marker in self._deleted else Answer(200, {"id": marker})
            case "split_requests.delete":
                return self._delete(asked)
            case "wallet.authorize" | "settlement_orders.create":
                return self._once_per_key(asked)
            case _:
                return self._done(asked)

    def _done(self, asked: Asked) -> Answer:
        marker = asked.marker
        if "-paid-" in marker:
            return api_error(5)
        self.record.done[marker] += 1
        amount = asked.fields.get("amount")
        match asked.operation:
            case "payments.refund":
                return Answer(
                    200,
                    {
                        "success": True,
                        "id": f"refund-of-{marker}",
                        "originalTransactionId": marker,
                        "amount": amount,
                    },
                )
            case "payments.capture" | "payments.cancel":
                # The amount is the payment's: each call has one of its own, by its marker's number.
                amount = int(marker.rpartition("-")[2])
                return Answer(200, {"success": True, "id": marker, "amount": amount, "responseCode": "00"})
            case "recurring.charge":
                return Answer(
                    200,
                    {"id": f"of-{marker}", "amount": amount, "currency": "KZT", "status": "authorized"},
                )
            case "split_requests.update" | "beneficiaries.update":
                return Answer(200, {**asked.fields, "id": marker})
            case _:
                self._made += 1
                return Answer(201, {**asked.fields, "id": f"{self._made:08x}-{marker}"})

    def _once_per_key(self, asked: Asked) -> Answer:
        marker, fields = asked.marker, asked.fields
        if "-paid-" in marker:
            return api_error(5)
        key = asked.key or fields["requestId"]
        made = self._by_key.get(key)
        if made is None:
            self.record.done[marker] += 1
            if asked.operation == "wallet.authorize":
                made = {
                    "walletTransactionId": f"of-{marker}",
                    "walletTransactionStatus": "PROCESSING",
                    **fields,
                }
            else:
                made = {"id": f"of-{marker}", "status": "created", **fields}
            self._by_key[key] = made
        return Answer(201, made)

    def _delete(self, asked: Asked) -> Answer:
        marker = asked.marker
        if marker in self._deleted:
            return api_error(4)
        if "-paid-" in marker:
            return api_error(5)
        self._deleted.add(marker)
        self.record.done[marker] += 1
        return Answer(200, {"id": marker})

    # ------------------------------------------------------------------------------------------- links

    def _create_link(self, asked: Asked) -> Answer:
        marker, reference = asked.marker, asked.fields.get("orderReference")
        if "-paid-" in marker:
            return api_error(3)
        if reference in self._by_reference:
            return api_error(5)
        link = self._add_link(asked.fields)
        self.record.done[marker] += 1
        self.record.made.setdefault(marker, []).append(link)
        return Answer(201, link)

    def _add_link(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._made += 1
        link = {"id": f"pl_{self._made:032x}", "status": "active", **fields}
        link["url"] = f"https://pay.example/{link['id']}"
        self._links[link["id"]] = link
        if (reference := fields.get("orderReference")) is not None:
            self._by_reference[reference] = link
        return link

    def _link_of(self, asked: Asked) -> dict[str, Any]:
        id = unquote(asked.target.rpartition("/")[2])
        link = self._links.get(id)
        if link is None:
            # One that the call is to change was there before it.
            link = {"id": id, "amount": 1, "currency": "KZT", "url": f"https://pay.example/{id}"}
            link["status"] = "paid" if "-paid-" in id else "active"
            self._links[id] = {**link, "orderReference": asked.marker}
        return self._links[id]

    def _update_link(self, asked: Asked) -> Answer:
        link = self._link_of(asked)
        if link["status"] == "paid":
            return api_error(5)
        self.record.done[asked.marker] += 1
        link["expiresAt"] = asked.fields["expiresAt"]
        return Answer(200, link)

    def _cancel_link(self, asked: Asked) -> Answer:
        link = self._link_of(asked)
        if link["status"] != "active":
            return api_error(5, "the payment link cannot be cancelled")
        link["status"] = "cancelled"
        self.record.done[asked.marker] += 1
        return Answer(200, link)

    def _listing(self) -> Answer:
        return Answer(200, {"data": [self._known], "page": 1, "size": 100, "total": 1})


_STATUS = {1: 503, 2: 500, 3: 400, 4: 404, 5: 422}
_MESSAGES = {
    1: "service unavailable",
    2: "something went wrong",
    3: "invalid request params",
    4: "not found",
    5: "unprocessable entity",
}


def api_error(code: int, message: str | None = None) -> Answer:
    """Return an error with the API's own body."""
    document = {"code": code, "message": message or _MESSAGES[code], "source": "keys", "type": "apiError"}
    return Answer(_STATUS[code], document)
