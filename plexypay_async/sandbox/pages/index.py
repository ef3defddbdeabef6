"""The sandbox's index page at ``/``: links, transactions, what Checkout and Gate have, and webhooks.

Each is shown with what is known of it.

It needs no key where the sandbox listens on this machine alone, and no script. A form on it sends a webhook
once more; a page of another site can neither post that form nor show this page in a frame.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

import attrs
from aiohttp import web

from ..clock import written_time
from ..deliveries.dispatcher import Dispatcher
from ..exchange import PageQuery
from ..state.state import SandboxState
from ..state.table import Table
from .html import Content, Markup, html_page, markup, read_form
from .rows import (
    ROW_STYLE,
    checkout_payment_row,
    delivery_row,
    gate_order_row,
    link_row,
    session_row,
    shown_time,
    state_of,
    transaction_row,
)

__all__ = ["IndexPage"]

T = TypeVar("T")

_SIZE = 50
# Seconds to wait for a receiver's answer before the page is shown anyway.
_RESEND_TIMEOUT = 2.0
_LISTS = ("links", "transactions", "sessions", "payments", "orders", "webhooks")
_LONGEST_SEARCH = 200


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
        """Show the newest of each, or those of the search and the pages that the query asks for."""
        view = _View.asked(request.query)
        resent = request.query.get("resent", "")
        state, deliveries = self._state, self._dispatcher.store
        lists = [
            view.found(
                "links",
                "Payment links",
                "None yet: POST /v1/payment-links makes one.",
                state.links,
                lambda link: link_row(link, self._base_url),
            ),
            view.found(
                "transactions",
                "Transactions",
                "None yet: open a link's checkout and pay it.",
                state.transactions,
                transaction_row,
            ),
            view.found(
                "sessions",
                "Checkout sessions",
                "None yet: POST /v2/sessions makes one.",
                state.checkout.sessions,
                lambda session: session_row(session, self._base_url),
            ),
            view.found(
                "payments",
                "Checkout payments",
                "None yet: a session's page takes one, and so does POST /v2/payments.",
                state.checkout.payments,
                checkout_payment_row,
            ),
            view.found(
                "orders",
                "Gate orders",
                "None yet: an agent's POST to the orders of the Gate API makes one.",
                state.gate_orders,
                gate_order_row,
            ),
            view.found(
                "webhooks",
                "Webhooks",
                "None yet: they tell what happens to transactions.",
                deliveries,
                lambda delivery: delivery_row(delivery, view.fields(), is_open=delivery.id == resent),
            ),
        ]
        content = markup(
            _CONTENT,
            note=self._resent(resent),
            base_url=self._base_url,
            now=shown_time(written_time(state.clock.microseconds())),
            default=self._dispatcher.settings.url or "none: only links with a callbackUrl have webhooks",
            search=view.search,
            longest=_LONGEST_SEARCH,
            searched=markup(_SEARCHED, search=view.search) if view.search else None,
            refresh=view.address(),
            contents=[found.heading for found in lists],
            lists=[found.section for found in lists],
        )
        return html_page("What is in this sandbox", content, styles=ROW_STYLE + _STYLE)

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
        location = f"{_View.asked(form).address(resent=identifier)}#{identifier}"
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})

    def _resent(self, identifier: str) -> Content:
        """Return the note that says what became of a webhook that was sent once more."""
        delivery = self._dispatcher.store.find(identifier) if identifier else None
        if delivery is None:
            return None
        return markup(_RESENT, event=delivery.event, state=state_of(delivery.state), id=delivery.id)


@attrs.frozen
class _Found:
    """What a search finds of one kind."""

    heading: Markup
    """For the page's contents."""
    section: Markup


@attrs.frozen
class _View:
    """What a visitor looks at: what is searched for, and the page of each list."""

    search: str
    pages: Mapping[str, int]

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> _View:
        """Read what a query or a form asks for."""
        # What is no text in UTF-8 cannot be looked for in the database.
        search = query.get("q", "").encode(errors="replace").decode().strip()[:_LONGEST_SEARCH]
        return cls(search, {name: _page_number(query.get(name)) for name in _LISTS})

    def found(self, name: str, title: str, empty: str, table: Table[T], row: Callable[[T], Markup]) -> _Found:
        """Return a page of what is found in a table."""
        page = self.pages[name]
        items, total = table.matching(self.search, PageQuery(page, _SIZE).offset, _SIZE)
        last = max(1, -(-total // _SIZE))
        steps = [
            markup('<a href="{}#{}">{}</a> ', self.address({name: to}), name, label)
            for label, to in (("Newer", min(page - 1, last)), ("Older", page + 1))
            if 1 <= to <= last
        ]
        if self.search:
            empty = "None found."
        return _Found(
            markup('<li><a href="#{}">{}</a> <span class="faint">{}</span></li>\n', name, title, total),
            markup(
                _SECTION,
                name=name,
                title=title,
                total=total,
                rows=[row(item) for item in items]
                or markup('<p class="faint">{}</p>', empty if not total else ""),
                pager=markup(_PAGER, title=title, page=page, last=last, steps=steps) if last > 1 else None,
            ),
        )

    def address(self, pages: Mapping[str, int] | None = None, *, resent: str | None = None) -> str:
        """Return the address of this view, with other pages of some lists."""
        query = self._query({**self.pages, **(pages or {})})
        if resent is not None:
            query["resent"] = resent
        return f"/?{urlencode(query)}" if query else "/"

    def fields(self) -> Markup:
        """Return the fields by which a form comes back to this view."""
        hidden = '<input type="hidden" name="{}" value="{}">\n'
        return markup("{}", [markup(hidden, name, value) for name, value in self._query(self.pages).items()])

    def _query(self, pages: Mapping[str, int]) -> dict[str, str]:
        query = {"q": self.search} if self.search else {}
        return query | {name: str(page) for name, page in pages.items() if page > 1}


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
<form role="search" class="search" method="get" action="/">
<label for="q">Search by order reference, id or state</label>
<input id="q" name="q" type="search" value="{search}" maxlength="{longest}" autocomplete="off">
<button>Search</button>
</form>
{searched}<nav aria-label="Contents"><ul>
<li><a href="{refresh}">Refresh</a></li>
{contents}</ul></nav>
{lists}"""

_SEARCHED = """<p role="status">Shown is what <b><bdi>{search}</bdi></b> finds. <a href="/">Show all</a></p>
"""

_RESENT = """<p class="note" role="status">{event} was sent once more, and is {state} now:
<a href="/?q={id}">see it alone</a></p>
"""

_SECTION = """<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title">{title} <span class="faint">{total}</span></h2>
{rows}
{pager}
</section>"""

_PAGER = '<nav aria-label="{title}, pages">{steps}<span class="faint">page {page} of {last}</span></nav>'

_STYLE = """
header, main, footer { max-width: 64rem; }
.search { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .25rem .5rem; margin: 1rem 0; }
.search label { grid-column: 1 / -1; }
nav { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin: .75rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0; list-style: none; }
nav a { display: inline-block; padding: .25rem 0; }
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
"""
