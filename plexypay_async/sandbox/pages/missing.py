"""What a browser is shown at an address at which there is no page: what there is.

Programs are answered in JSON, as the API does; `is_for_a_person` tells the two apart.
"""

from __future__ import annotations

from aiohttp import hdrs, web

from ...apis import APIS
from .html import Markup, html_page, markup

__all__ = ["is_for_a_person", "missing_page"]

_LONGEST_PATH = 200


def is_for_a_person(request: web.Request) -> bool:
    """Whether a browser asks for a page: it is told by ``Accept``, in which programs name no HTML."""
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        return False
    accepted = ",".join(request.headers.getall(hdrs.ACCEPT, []))
    kinds = {kind.partition(";")[0].strip().lower() for kind in accepted.split(",")}
    return "text/html" in kinds


def missing_page(path: str, refused: web.HTTPException) -> web.Response:
    """Return the page for a path that is not served, or not to be opened."""
    title, content = _told(path[:_LONGEST_PATH], refused)
    page = html_page(title, content, status=refused.status, styles=_STYLE)
    if isinstance(refused, web.HTTPMethodNotAllowed):
        page.headers[hdrs.ALLOW] = _methods(refused)
    return page


def _told(path: str, refused: web.HTTPException) -> tuple[str, Markup]:
    if isinstance(refused, web.HTTPMethodNotAllowed):
        title = "Not a page to open"
        told = markup(
            "<p><code><bdi>{}</bdi></code> is called by programs, with {}.</p>", path, _methods(refused)
        )
    else:
        title = "No such page"
        told = markup("<p>There is nothing at <code><bdi>{}</bdi></code>.</p>", path)
    apis = [
        markup(
            '<li><a href="/openapi.json?api={}">{}</a>, described for programs</li>\n', api.name, api.title
        )
        for api in APIS
    ]
    return title, markup(_CONTENT, told=told, apis=apis)


def _methods(refused: web.HTTPMethodNotAllowed) -> str:
    return ", ".join(sorted(refused.allowed_methods))


_CONTENT = """{told}
<h2>What there is</h2>
<ul>
<li><a href="/">What is in this sandbox</a>: payment links, transactions, payments and webhooks</li>
<li><code>/checkout/ID</code>, the page of a payment link, and <code>/checkout/sessions/ID</code>, that of a
session: the address is in the answer that made it</li>
<li><a href="/_sandbox">The paths that steer the sandbox</a>, by which tests pay, move the clock and add
faults</li>
{apis}</ul>"""

_STYLE = """
ul { padding-left: 1.25rem; }
li { margin: .25rem 0; }
"""
