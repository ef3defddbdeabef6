"""The sandbox's index page at ``/``: its links, transactions, payments of the Checkout API and webhooks.

Each is shown with all that is known of it.

It needs no key where the sandbox listens on this machine alone, and no script. A form on it sends a webhook
once more; a page of another site can neither post that form nor show this page in a frame.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import attrs
import orjson
from aiohttp import web

from ..clock import written_time
from ..deliveries.delivery import Delivery, DeliveryAttempt, DeliveryState
from ..deliveries.dispatcher import Dispatcher
from ..exchange import PageQuery
from ..money import displayed
from ..state.checkout_payments import StoredCheckoutPayment
from ..state.links import StoredLink
from ..state.state import SandboxState
from ..state.transactions import StoredTransaction
from .html import Content, Markup, html_page, markup, read_form, web_address

__all__ = ["IndexPage"]

T = TypeVar("T")

_SIZE = 10
# Seconds to wait for a receiver's answer before the page is shown anyway.
_RESEND_TIMEOUT = 2.0
_LISTS = ("links", "transactions", "payments", "webhooks")
_TONES = {
    state: tone
    for tone, states in {
        "good": "paid authorized authorised charged delivered",
        "warn": "active created 3d challenged pending",
        "bad": "rejected failed error refused lost",
    }.items()
    for state in states.split()
}


@attrs.frozen
class IndexPage:
    """The page at ``/``."""

    _state: SandboxState
    _dispatcher: Dispatcher
    _base_url: str

    def serve(self, application: web.Application) -> None:
        """Serve ``/``."""
        application.router.add_get("/", self.show)
        application.router.add_post("/", self.resend)

    async def show(self, request: web.Request) -> web.Response:
        """Show the newest of each, or those of the pages that the query asks for."""
        asked = {name: _page_number(request.query.get(name)) for name in _LISTS}
        resent = request.query.get("resent")
        links, transactions, payments, deliveries = (_Span(name, asked) for name in _LISTS)
        content = markup(
            _CONTENT,
            note=None if resent is None else markup(_RESENT),
            base_url=self._base_url,
            now=_time(written_time(self._state.clock.microseconds())),
            default=self._dispatcher.settings.url or "none: only links with a callbackUrl have webhooks",
            links=links.shown(
                "Payment links",
                "None yet: POST /v1/payment-links makes one.",
                *self._state.links.page(links.offset, _SIZE),
                lambda link: _link_row(link, self._base_url),
            ),
            transactions=transactions.shown(
                "Transactions",
                "None yet: open a link's checkout and pay it.",
                *self._state.transactions.page(transactions.offset, _SIZE),
                _transaction_row,
            ),
            payments=payments.shown(
                "Checkout payments",
                "None yet: POST /v2/sessions makes a session, whose url takes one.",
                *self._state.checkout.payments.page(payments.offset, _SIZE),
                _checkout_payment_row,
            ),
            webhooks=deliveries.shown(
                "Webhooks",
                "None yet: they tell what happens to transactions.",
                *self._dispatcher.store.page(deliveries.offset, _SIZE),
                lambda delivery: _delivery_row(delivery, deliveries.page, is_open=delivery.id == resent),
            ),
        )
        return html_page("What is in this sandbox", content, styles=_STYLE)

    async def resend(self, request: web.Request) -> web.Response:
        """Send a webhook once more, and lead back to where it is shown."""
        form = await read_form(request)
        if form is None:
            return _problem("Not sent", "The form cannot be read.", HTTPStatus.BAD_REQUEST)
        identifier = form.get("resend")
        if identifier is None:
            return _problem("Not sent", "The form names no webhook.", HTTPStatus.BAD_REQUEST)
        try:
            self._dispatcher.resend(identifier)
        except ValueError as error:
            return _problem("Not sent", str(error), HTTPStatus.NOT_FOUND)
        with contextlib.suppress(TimeoutError):
            await self._dispatcher.settled(_RESEND_TIMEOUT)
        number = _page_number(form.get("webhooks"))
        location = f"/?webhooks={number}&resent={identifier}#{identifier}"
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


@attrs.frozen
class _Span:
    """The page of one list that is shown."""

    name: str
    asked: Mapping[str, int]
    """The pages of all lists."""

    @property
    def page(self) -> int:
        return self.asked[self.name]

    @property
    def offset(self) -> int:
        return PageQuery(self.page, _SIZE).offset

    def shown(
        self, title: str, empty: str, items: Sequence[T], total: int, row: Callable[[T], Markup]
    ) -> Markup:
        last = max(1, -(-total // _SIZE))
        steps = [
            self._step(label, page)
            for label, page in (("Newer", min(self.page - 1, last)), ("Older", self.page + 1))
            if 1 <= page <= last
        ]
        return markup(
            _SECTION,
            name=self.name,
            title=title,
            total=total,
            rows=[row(item) for item in items]
            or markup('<p class="faint">{}</p>', empty if not total else ""),
            pager=markup(_PAGER, title=title, page=self.page, last=last, steps=steps) if last > 1 else None,
        )

    def _step(self, label: str, page: int) -> Markup:
        pages = {**self.asked, self.name: page}
        query = "&".join(f"{name}={number}" for name, number in pages.items())
        return markup('<a href="/?{}#{}">{}</a> ', query, self.name, label)


def _link_row(link: StoredLink, base_url: str) -> Markup:
    whole = link.whole(base_url)
    return _row(
        link.id,
        name=displayed(link.amount, link.currency),
        state=link.status,
        about=link.order_reference or link.description,
        time=written_time(link.created_at),
        detail=markup(
            '<p><a href="{}">Open its checkout</a></p>{}', web_address(whole["url"]), _payload(whole)
        ),
    )


def _transaction_row(transaction: StoredTransaction) -> Markup:
    name = displayed(transaction.amount, transaction.currency)
    return _row(
        transaction.id,
        name=markup("{} {}", name, transaction.type) if transaction.type != "payment" else name,
        state=transaction.status,
        about=transaction.order_reference or transaction.description,
        time=written_time(transaction.updated_at),
        detail=_payload(transaction.whole()),
    )


def _checkout_payment_row(payment: StoredCheckoutPayment) -> Markup:
    return _row(
        payment.id,
        name=displayed(payment.amount, payment.currency),
        state=payment.status,
        about=payment.reference,
        time=written_time(payment.updated_at),
        detail=_payload(payment.shown()),
    )


def _delivery_row(delivery: Delivery, page: int, *, is_open: bool) -> Markup:
    told: list[tuple[str, Content]] = [("To", delivery.url)]
    if delivery.reason is not None:
        told.append(("Refused", delivery.reason))
    if delivery.fault is not None:
        told.append(("Fault", f"delivery={delivery.fault}"))
    if delivery.attempts:
        told.append(("Attempts", [_attempt(attempt) for attempt in delivery.attempts]))
    if delivery.next_attempt_at is not None:
        told.append(("Next attempt", _time(written_time(delivery.next_attempt_at))))
    form = markup(_FORM, id=delivery.id, page=page, event=delivery.event)
    return _row(
        delivery.id,
        name=delivery.event,
        state=delivery.state,
        about=delivery.url,
        time=written_time(delivery.created_at),
        detail=markup(
            "<dl>{}</dl>{}{}",
            [markup("<dt>{}</dt><dd>{}</dd>", name, value) for name, value in told],
            None if delivery.state is DeliveryState.REFUSED else form,
            _payload(delivery.body),
        ),
        is_open=is_open,
    )


def _attempt(attempt: DeliveryAttempt) -> Markup:
    good = attempt.status == HTTPStatus.OK
    return markup(
        '<span class="attempt">{} <b class="{}">{}</b></span>',
        _time(written_time(attempt.at)),
        "good" if good else "bad",
        attempt.error if attempt.status is None else f"HTTP {attempt.status}",
    )


def _row(
    identifier: str,
    *,
    name: Content,
    state: str,
    about: str | None,
    time: str,
    detail: Markup,
    is_open: bool = False,
) -> Markup:
    return markup(
        _ROW,
        id=identifier,
        open=markup(" open") if is_open else None,
        name=name,
        state=state,
        tone=_TONES.get(state, "faint"),
        about=about,
        time=_time(time),
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


def _time(written: str) -> Markup:
    day, clock = written[:10], written[11:19]
    return markup('<time datetime="{}">{} {}</time>', written, day, clock)


def _page_number(text: object) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 9:
        return max(1, int(text))
    return 1


def _problem(title: str, told: str, status: HTTPStatus) -> web.Response:
    return html_page(
        title, markup('<p class="note bad">{}</p><p><a href="/">Back</a></p>', told), status=status
    )


_CONTENT = """{note}
<dl>
<dt>API</dt><dd>{base_url}</dd>
<dt>Its time</dt><dd>{now} UTC</dd>
<dt>Webhooks go to</dt><dd>{default}</dd>
</dl>
<p><a href="/">Refresh</a> · <a href="#links">Payment links</a> · <a href="#transactions">Transactions</a> ·
<a href="#payments">Checkout payments</a> · <a href="#webhooks">Webhooks</a></p>
{links}
{transactions}
{payments}
{webhooks}"""

_RESENT = '<p class="note good" role="status">Sent once more: see below what became of it.</p>'

_SECTION = """<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title">{title} <span class="faint">{total}</span></h2>
{rows}
{pager}
</section>"""

_PAGER = '<nav aria-label="{title}, pages">{steps}<span class="faint">page {page} of {last}</span></nav>'

_ROW = """<details id="{id}"{open}>
<summary><b><bdi>{name}</bdi></b> <span class="state {tone}">{state}</span>
{time}<span class="about"><bdi>{about}</bdi></span></summary>
<div>{detail}</div>
</details>"""

_FORM = """<form method="post" action="/">
<input type="hidden" name="webhooks" value="{page}">
<button name="resend" value="{id}" aria-label="Send {event} once more">Send once more</button>
</form>"""

_STYLE = """
header, main, footer { max-width: 64rem; }
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
.state { padding: 0 .6rem; border: 1px solid; border-radius: 1rem; font-size: .875rem; font-weight: 600; }
.attempt { display: block; }
nav { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin: .75rem 0; }
nav a, main > p > a { display: inline-block; padding: .25rem 0; }
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media (min-width: 48rem) {
  summary { gap: .1rem 1rem; grid-template-columns: minmax(0, 17rem) 7rem minmax(0, 1fr) auto; }
  summary b, summary .about { grid-column: auto; }
  summary time { order: 1; }
}
"""
