"""The bank's page of 3-D Secure, where a customer gives the one-time password, and the way back from it."""

from __future__ import annotations

from aiohttp import web

from ..money import displayed
from .checkout_page import CardPayment, masked
from .html import Content, html_page, markup

__all__ = ["challenge_page", "way_back_page"]


def challenge_page(
    payment: CardPayment, *, session_data: str | None = None, framed: bool = False
) -> web.Response:
    """Return the page that asks for the one-time password of a payment.

    `session_data` is what the merchant of a direct payment wants back; its shop may show the page in a frame,
    and then it is `framed`.
    """
    kept = (
        None
        if session_data is None
        else markup('<input type="hidden" name="threeDSSessionData" value="{}">\n', session_data)
    )
    content = markup(
        _CHALLENGE,
        amount=displayed(payment.amount, payment.currency),
        card=masked(payment),
        order=_order(payment),
        kept=kept,
    )
    return html_page("Confirm the payment", content, styles=_STYLES, leads_away=True, framed=framed)


def way_back_page(title: str, address: str | None, *, cres: str, session_data: str) -> web.Response:
    """Return the page that takes the result of a direct payment's challenge to its merchant.

    `title` says what came of the challenge. `cres`, the result, and `session_data`, which the merchant gave
    along, go to `address` if the merchant has named one.
    """
    if address is None:
        content = markup("<p>cres: <code>{}</code></p>", cres)
    else:
        content = markup(_BACK, address=address, cres=cres, session_data=session_data)
    return html_page(title, content, leads_away=True, framed=True)


def _order(payment: CardPayment) -> Content:
    reference = payment.order_reference
    return None if reference is None else markup("<dt>Order</dt><dd><bdi>{}</bdi></dd>\n", reference)


_CHALLENGE = """<p>The bank of this card wants to know whether it is you who pays.</p>
<dl><dt>Amount</dt><dd>{amount}</dd>
<dt>Card</dt><dd>{card}</dd>
{order}</dl>
<form method="post">
{kept}<label for="otp">One-time password</label>
<input id="otp" name="otp" inputmode="numeric" autocomplete="one-time-code" required autofocus>
<button class="confirm">Confirm</button>
</form>
<h2 id="passwords">Test passwords</h2>
<form class="two" method="post" aria-labelledby="passwords">
{kept}<button class="plain" name="otp" value="555">555: pass</button>
<button class="plain" name="otp" value="111">111: fail</button>
</form>"""

_BACK = """<form method="post" action="{address}">
<input type="hidden" name="cres" value="{cres}">
<input type="hidden" name="threeDSSessionData" value="{session_data}">
<button>Back to the shop</button>
</form>"""

_STYLES = """
.confirm { width: 100%; margin: .75rem 0; }
"""
