"""The page behind a link's address: a plain one, that shows what is to be paid."""

from __future__ import annotations

from html import escape

from aiohttp import web

from .link_store import LinkStore

__all__ = ["add_checkout"]

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Plexy Pay sandbox</title></head>
<body>
<h1>{title}</h1>
<p>{description}</p>
<p>Status: {status}</p>
<p>This is a sandbox: nothing can be paid here.</p>
</body>
</html>
"""


def add_checkout(application: web.Application, links: LinkStore) -> None:
    """Serve ``/checkout/{id}``, which needs no key."""

    async def show(request: web.Request) -> web.Response:
        link = links.find(request.match_info["id"])
        if link is None:
            return _page(404, "No such payment link", "", "unknown")
        whole, cents = divmod(link.amount, 100)
        return _page(200, f"{whole}.{cents:02} {link.currency}", link.description or "", link.status)

    application.router.add_get("/checkout/{id}", show)


def _page(code: int, title: str, description: str, status: str) -> web.Response:
    text = _PAGE.format(title=escape(title), description=escape(description), status=escape(status))
    return web.Response(status=code, text=text, content_type="text/html")
