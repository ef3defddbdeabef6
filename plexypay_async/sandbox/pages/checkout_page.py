"""What the checkout page shows of a link: its form while it can be paid, and else what became of it.

Plain HTML: it works without scripts, by keyboard and on a narrow screen. A merchant's text may run from right
to left, so ``bdi`` isolates it from the text around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import attrs
from aiohttp import web

from ..clock import written_time
from ..money import displayed
from ..state.checkout_payments import StoredCheckoutPayment
from ..state.checkout_sessions import StoredSession
from ..state.issuer import CARDS, REASONS, Flow, IssuedCard, PresentedCard, ResponseCode, response_code
from ..state.links import StoredLink
from ..state.transactions import StoredTransaction
from .card_form import CardForm, in_groups
from .html import Content, Markup, html_page, markup

__all__ = [
    "LEFT",
    "CardPayment",
    "Note",
    "closed_page",
    "masked",
    "message_page",
    "open_page",
    "tried",
]


Payable: TypeAlias = StoredLink | StoredSession
"""What a customer pays on a page."""
CardPayment: TypeAlias = StoredTransaction | StoredCheckoutPayment
"""A payment by card, through whichever API it was made."""

_STATES: Mapping[str, tuple[str, str, str]] = {
    "paid": ("good", "Paid", "This link is paid. Nothing more will be taken."),
    "expired": ("warn", "Expired", "This link has expired: it takes no payment. Ask for a new one."),
    "cancelled": (
        "warn",
        "Cancelled",
        "The shop has cancelled this link: it takes no payment. Ask for a new one.",
    ),
}
"""For each state of a link that takes no payment: the kind of the remark, the page's title, the remark."""


@attrs.frozen
class Note:
    """A remark above a page's content."""

    kind: str
    """``good``, ``bad`` or ``warn``."""
    text: str

    def shown(self) -> Markup:
        """Return it as it stands in the page."""
        return markup('<p class="note {}" role="status">{}</p>', self.kind, self.text)


LEFT = Note("warn", "You cancelled, and nothing was taken. The link can still be paid.")
"""The remark for a customer who cancelled."""


def tried(transaction: StoredTransaction) -> Note:
    """Return the remark about a payment that did not pay its link."""
    if transaction.status == "3d":
        return Note("warn", "A payment waits for its one-time password. You may begin another one.")
    reason = f"{REASONS[transaction.response_code]} ({transaction.response_code})"
    if transaction.status == "failed":
        return Note("bad", f"The payment failed, and nothing was taken: {reason}. Try again.")
    return Note("bad", f"The payment was declined, and nothing was taken: {reason}. Try another card.")


def message_page(title: str, text: str, *, status: int) -> web.Response:
    """Return a page that shows no link."""
    return html_page(title, markup("<p>{}</p>", text), status=status)


def open_page(
    link: Payable,
    form: CardForm,
    now: datetime,
    *,
    attempt: str,
    remark: Note | None = None,
    status: int = 200,
) -> web.Response:
    """Return the page of a link or a session that can be paid, with its form filled in.

    `attempt` identifies this page when its form is sent, and `remark` says what happened before. The
    tab's name begins with what went wrong, if something did.
    """
    amount = displayed(link.amount, link.currency)
    content = markup(
        _OPEN,
        remark=None if remark is None else remark.shown(),
        description=description(link),
        attempt=attempt,
        card=_field(form, "card", "Card number", form.card, hint="a test card", mode="numeric", needed=True),
        expiry=_field(form, "expiry", "Expiry", form.expiry, hint="MM/YY", mode="text"),
        cvv=_field(form, "cvv", "CVV", form.cvv, hint="3 digits", mode="numeric"),
        amount=amount,
        # After a card was chosen, Enter is enough to pay.
        focus=markup(" autofocus") if form.card and not form.errors else None,
        choices=[_choice(issued, link, form, now) for issued in CARDS.values()],
    )
    wrong = "Error: " if form.errors else "Not paid: " if remark is not None and remark.kind == "bad" else ""
    return html_page(amount, content, tab=f"{wrong}{amount}", status=status, styles=_STYLES, leads_away=True)


def closed_page(
    link: StoredLink, payment: StoredTransaction | None, back: str | None, *, status: int = 200
) -> web.Response:
    """Return the page of a link that takes no payment.

    `payment` is what paid it, and `back` is the shop's address for customers who have paid.
    """
    kind, title, text = _STATES[link.status]
    content = markup(
        _CLOSED,
        remark=Note(kind, text).shown(),
        amount=displayed(link.amount, link.currency),
        card=None if payment is None else markup("<dt>Card</dt><dd>{}</dd>", masked(payment)),
        description=description(link),
        back=None if back is None else markup('<p><a href="{}">Back to the shop</a></p>', back),
    )
    return html_page(title, content, status=status)


def description(link: Payable) -> Content:
    """Return what a link or a session is for, as items of a list of descriptions."""
    items: list[Content] = []
    if link.description:
        items.append(markup("<dt>For</dt><dd><bdi>{}</bdi></dd>\n", link.description))
    if link.order_reference:
        items.append(markup("<dt>Order</dt><dd><bdi>{}</bdi></dd>\n", link.order_reference))
    if link.expires_at is not None and link.status in ("active", "expired"):
        written = written_time(link.expires_at)
        items.append(
            markup(
                '<dt>{}</dt><dd><time datetime="{}">{}</time></dd>\n',
                "Pay until" if link.status == "active" else "Expired",
                written,
                f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M} UTC",
            )
        )
    return items


def masked(payment: CardPayment) -> str:
    """Return the card of a payment as customers recognize it: ``•••• 1111``."""
    return f"•••• {payment.last4}"


def _field(
    form: CardForm, name: str, label: str, value: str, *, hint: str, mode: str, needed: bool = False
) -> Markup:
    error = form.errors.get(name)
    return markup(
        _FIELD,
        name=name,
        label=label,
        hint=hint,
        value=value,
        mode=mode,
        needed=markup(" required") if needed else None,
        wrong=markup(' aria-invalid="true" aria-describedby="{}-error"', name) if error else None,
        focus=markup(" autofocus") if name == next(iter(form.errors), None) else None,
        error=markup('<p class="bad" id="{}-error">{}</p>\n', name, error) if error else None,
    )


def _choice(issued: IssuedCard, link: Payable, form: CardForm, now: datetime) -> Markup:
    return markup(
        _CHOICE,
        number=issued.number,
        chosen=markup(' aria-current="true"') if form.card == in_groups(issued.number) else None,
        shown=in_groups(issued.number),
        effect=_effect(issued, link, now),
    )


def _effect(issued: IssuedCard, link: Payable, now: datetime) -> str:
    """Say what comes of paying a link with a card."""
    if issued.flow is Flow.FRICTIONLESS_FAILURE:
        return "Declined by 3-D Secure"
    card = PresentedCard(number=issued.number, expiry_month=now.month, expiry_year=now.year + 1)
    code = response_code(card, link.amount, now)
    end = None if code == ResponseCode.APPROVED else f"declined: {REASONS[code]}"
    if issued.flow is Flow.FRICTIONLESS:
        return "Paid at once" if end is None else end.capitalize()
    if issued.flow is Flow.BROKEN_CHALLENGE:
        end = "declined"
    asks = "Asks for a one-time password"
    if end is not None:
        return f"{asks}, then {end}"
    refused = " or ".join(issued.cvv_codes)
    return f"{asks}; declined with CVV {refused}" if refused else asks


_OPEN = """{remark}<dl>{description}</dl>
<form method="post">
<input type="hidden" name="attempt" value="{attempt}">
{card}<div class="two">
{expiry}{cvv}</div>
<button class="pay" name="do" value="pay"{focus}>Pay {amount}</button>
<div class="two">
<button class="plain" name="do" value="cancel" formnovalidate>Cancel</button>
<button class="plain" name="do" value="fail" formnovalidate>Fail</button>
</div>
</form>
<h2 id="cards">Test cards</h2>
<p class="faint">Choose one to fill in its number. Fail is for a system error on the way.</p>
<form method="get" aria-labelledby="cards">
<ul class="cards">
{choices}</ul>
</form>"""

_CLOSED = """{remark}<dl><dt>Amount</dt><dd>{amount}</dd>
{card}{description}</dl>
{back}"""

_FIELD = """<div class="field">
<label for="{name}">{label} <span class="faint">{hint}</span></label>
<input id="{name}" name="{name}" value="{value}" inputmode="{mode}" autocomplete="off"{needed}{wrong}{focus}>
{error}</div>
"""

_CHOICE = """<li><button class="plain" name="card" value="{number}"{chosen}>
<code>{shown}</code> <span class="faint">{effect}</span>
</button></li>
"""

_STYLES = """
.field { margin: 0 0 .75rem; }
.field p { margin: .25rem 0 0; }
label .faint { font-weight: 400; }
input[aria-invalid] { border: 2px solid var(--bad); }
.pay { width: 100%; margin: .25rem 0 .75rem; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(14rem, 100%), 1fr)); gap: .5rem;
  margin: .75rem 0 0; padding: 0; list-style: none;
}
.cards button {
  width: 100%; height: 100%; padding: .5rem .75rem; text-align: left; font-weight: 400;
  border-color: var(--line);
}
.cards code { display: block; font-weight: 600; }
.cards .faint { font-size: .875rem; }
.cards [aria-current] { border-color: var(--accent); box-shadow: inset .25rem 0 var(--accent); }
"""
