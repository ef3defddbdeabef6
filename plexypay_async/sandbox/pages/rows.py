"""The rows of the index page: a line that says what something is, and behind it all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson

from ..clock import written_time
from ..deliveries.delivery import Delivery, DeliveryAttempt, DeliveryState
from ..money import displayed
from ..state.checkout_payments import StoredCheckoutPayment
from ..state.checkout_sessions import StoredSession
from ..state.gate_orders import StoredGateOrder, in_text
from ..state.links import StoredLink
from ..state.transactions import StoredTransaction
from .html import Content, Markup, markup, web_address

__all__ = [
    "ROW_STYLE",
    "checkout_payment_row",
    "delivery_row",
    "gate_order_row",
    "link_row",
    "session_row",
    "shown_time",
    "state_of",
    "transaction_row",
]

_TONES = {
    state: tone
    for tone, states in {
        "open": "active created",
        "wait": "3d challenged pending",
        "held": "authorized authorised",
        "good": "paid charged completed delivered",
        "back": "refunded returned",
        "bad": "rejected failed error refused lost",
    }.items()
    for state in states.split()
}
"""The colour of each state; of one that is not here, such as ``expired``, nothing more is to be expected."""


def link_row(link: StoredLink, base_url: str) -> Markup:
    """Return the row of a payment link."""
    whole = link.whole(base_url)
    return _row(
        link.id,
        name=displayed(link.amount, link.currency),
        state=link.status,
        about=_isolated(link.order_reference or link.description),
        time=written_time(link.created_at),
        detail=markup(
            '<p><a href="{}">Open its checkout</a> · {}</p>{}',
            web_address(whole["url"]),
            _searched(link.id, "Find its transactions and webhooks"),
            _payload(whole),
        ),
    )


def transaction_row(transaction: StoredTransaction) -> Markup:
    """Return the row of a transaction."""
    name = displayed(transaction.amount, transaction.currency)
    return _row(
        transaction.id,
        name=markup("{} {}", name, transaction.type) if transaction.type != "payment" else name,
        state=transaction.status,
        about=_isolated(transaction.order_reference or transaction.description),
        time=written_time(transaction.updated_at),
        detail=markup(
            "<p>{}</p>{}", _searched(transaction.id, "Find its webhooks"), _payload(transaction.whole())
        ),
    )


def checkout_payment_row(payment: StoredCheckoutPayment) -> Markup:
    """Return the row of a payment of the Checkout API."""
    return _row(
        payment.id,
        name=displayed(payment.amount, payment.currency),
        state=payment.status,
        about=_isolated(payment.reference),
        time=written_time(payment.updated_at),
        detail=markup("<p>{}</p>{}", _searched(payment.id, "Find its webhooks"), _payload(payment.shown())),
    )


def session_row(session: StoredSession, base_url: str) -> Markup:
    """Return the row of a session of the Checkout API; what a page proves itself with is not in it."""
    whole = session.shown(base_url)
    del whole["sessionData"]
    return _row(
        session.id,
        name=displayed(session.amount, session.currency),
        state=session.status,
        about=_isolated(session.reference),
        time=written_time(session.created_at),
        detail=markup(
            '<p><a href="{}">Open its page</a> · {}</p>{}',
            web_address(whole["url"]),
            _searched(session.id, "Find its payments"),
            _payload(whole),
        ),
    )


def gate_order_row(order: StoredGateOrder) -> Markup:
    """Return the row of an order of the Gate API."""
    return _row(
        order.id,
        name=f"{in_text(order.charged_amount)} {order.currency_code}",
        state=order.status,
        about=[
            None
            if order.external_ref is None
            else markup('<span class="of">{}</span> ', _isolated(order.external_ref)),
            markup('<span class="of">product {}</span>', order.product_id),
        ],
        time=written_time(order.ended_at or order.created_at),
        detail=_payload(order.shown()),
    )


def delivery_row(delivery: Delivery, hidden: Content, *, is_open: bool) -> Markup:
    """Return the row of a webhook; `hidden` are the fields of the form that sends it once more."""
    order, subject = _told(delivery)
    facts: list[tuple[str, Content]] = []
    if order is not None:
        facts.append(("Order", _isolated(order)))
    if subject is not None:
        facts.append((subject[0].capitalize(), _searched(subject[1], subject[1])))
    facts.append(("To", delivery.url))
    if delivery.reason is not None:
        facts.append(("Refused", delivery.reason))
    if delivery.fault is not None:
        facts.append(("Fault", f"delivery={delivery.fault}"))
    if delivery.attempts:
        facts.append(("Attempts", [_attempt(attempt) for attempt in delivery.attempts]))
    if delivery.next_attempt_at is not None:
        facts.append(("Next attempt", shown_time(written_time(delivery.next_attempt_at))))
    form = markup(_FORM, id=delivery.id, hidden=hidden, event=delivery.event)
    return _row(
        delivery.id,
        name=delivery.event,
        state=delivery.state,
        about=[
            None if order is None else markup('<span class="of">{}</span> ', _isolated(order)),
            None if subject is None else markup('<span class="of">{} {}</span>', *subject),
        ],
        time=written_time(delivery.created_at),
        detail=markup(
            "<dl>{}</dl>{}{}",
            [markup("<dt>{}</dt><dd>{}</dd>", name, value) for name, value in facts],
            None if delivery.state is DeliveryState.REFUSED else form,
            _payload(delivery.body),
        ),
        is_open=is_open,
    )


def state_of(state: str) -> Markup:
    """Return a state in its colour."""
    return markup('<span class="state {}">{}</span>', _TONES.get(state, "over"), state)


def shown_time(written: str) -> Markup:
    """Return a time, of which the API's form is given."""
    day, clock = written[:10], written[11:19]
    return markup('<time datetime="{}">{} {}</time>', written, day, clock)


def _told(delivery: Delivery) -> tuple[str | None, tuple[str, str] | None]:
    """Return the order reference that a webhook tells of; and what it is of, with its id."""
    data = delivery.payload["data"]
    order = data.get("merchantReference") or None
    for name, key in (
        ("payment", "pspReference"),
        ("payment order", "payment_order_id"),
        ("transaction", "id"),
    ):
        if isinstance(identifier := data.get(key), str):
            return order, (name, identifier)
    return order, None


def _searched(identifier: str, told: str) -> Markup:
    """Return a link that finds all that has an id."""
    return markup('<a href="/?{}">{}</a>', urlencode({"q": identifier}), told)


def _isolated(text: str | None) -> Content:
    return None if text is None else markup("<bdi>{}</bdi>", text)


def _attempt(attempt: DeliveryAttempt) -> Markup:
    good = attempt.status == HTTPStatus.OK
    return markup(
        '<span class="attempt">{} <b class="{}">{}</b></span>',
        shown_time(written_time(attempt.at)),
        "good" if good else "bad",
        attempt.error if attempt.status is None else f"HTTP {attempt.status}",
    )


def _row(
    identifier: str,
    *,
    name: Content,
    state: str,
    about: Content,
    time: str,
    detail: Markup,
    is_open: bool = False,
) -> Markup:
    return markup(
        _ROW,
        id=identifier,
        open=markup(" open") if is_open else None,
        name=name,
        state=state_of(state),
        about=about,
        time=shown_time(time),
        detail=detail,
    )


def _payload(document: bytes | Mapping[str, Any]) -> Markup:
    text = document if isinstance(document, bytes) else orjson.dumps(document)
    # Numbers are shown exactly as written: a long one read as a float would change.
    exact = json.loads(text, parse_float=lambda digits: orjson.Fragment(digits))
    return markup(
        '<pre tabindex="0" role="group" aria-label="Payload">{}</pre>',
        orjson.dumps(exact, option=orjson.OPT_INDENT_2).decode(),
    )


_ROW = """<details id="{id}"{open}>
<summary><b><bdi>{name}</bdi></b> {state}
{time}<span class="about">{about}</span></summary>
<div>{detail}</div>
</details>"""

_FORM = """<form method="post" action="/">
{hidden}<button name="resend" value="{id}" aria-label="Send {event} once more">Send once more</button>
</form>"""

ROW_STYLE = """
:root { --open: #1d5bb8; --held: #0b6570; --back: #6b3fa0; }
@media (prefers-color-scheme: dark) { :root { --open: #8fc1ff; --held: #6fd0d8; --back: #cdb0ff; } }
details { border-top: 1px solid var(--line); }
section details:last-of-type { border-bottom: 1px solid var(--line); }
details > div { padding: 0 .25rem 1rem; }
summary {
  display: grid; gap: .1rem .5rem; padding: .6rem 0 .6rem 1.4rem; position: relative; cursor: pointer;
  grid-template-columns: auto minmax(0, 1fr); align-items: baseline; list-style: none;
}
summary::-webkit-details-marker { display: none; }
summary::before { content: "\\25B8"; position: absolute; left: .3rem; top: .6rem; color: var(--accent); }
[open] > summary::before { content: "\\25BE"; }
summary b, summary .about { grid-column: 1 / -1; }
summary:hover { background: var(--ground); }
summary .about, summary time { font-size: .875rem; color: var(--faint); min-width: 0; }
summary time { white-space: nowrap; }
summary .state { justify-self: start; }
.of { display: block; }
.state { padding: 0 .6rem; border: 1px solid; border-radius: 1rem; font-size: .875rem; font-weight: 600; }
.open { color: var(--open); }
.wait { color: var(--warn); }
.held { color: var(--held); }
.back { color: var(--back); }
.over { color: var(--faint); }
.attempt { display: block; }
@media (min-width: 48rem) {
  summary { gap: .1rem 1rem; grid-template-columns: minmax(0, 17rem) 7rem minmax(0, 1fr) auto; }
  summary b, summary .about { grid-column: auto; }
  summary time { order: 1; }
}
"""
