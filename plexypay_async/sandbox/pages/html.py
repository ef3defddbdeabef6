"""The frame of every HTML page of the sandbox: one style, escaped values, nothing loaded from elsewhere.

Pages show what merchants wrote, so no text gets into one unescaped: `markup` takes a template from the code,
and escapes each value that is not itself `Markup`, with the standard library's `html.escape`. A template
engine would be a dependency of every user of the library for these few pages.

Attributes stand in double quotes in the templates. An address from outside goes through `web_address` before
it is put into ``href`` or ``action``.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from html import escape
from typing import LiteralString, TypeAlias

import attrs
import yarl
from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError

__all__ = ["Content", "Markup", "html_page", "markup", "read_form", "web_address"]


@attrs.frozen
class Markup:
    """HTML in which every value is escaped; made by `markup`."""

    text: str


Content: TypeAlias = Markup | str | int | Iterable["Content"] | None
"""What a template takes: markup as it is, text and numbers escaped, several in a row, None as nothing."""


def markup(template: LiteralString, *values: Content, **named: Content) -> Markup:
    """Fill in a template of `str.format`, with its values escaped."""
    return Markup(
        template.format(*map(_written, values), **{name: _written(value) for name, value in named.items()})
    )


def web_address(text: object) -> str | None:
    """Return an ``http`` or ``https`` address as headers and attributes have it; None for anything else."""
    if not isinstance(text, str) or not text.strip().isprintable():
        return None
    try:
        url = yarl.URL(text.strip())
    except ValueError:
        return None
    return str(url) if url.scheme in ("http", "https") and url.host else None


async def read_form(request: web.Request) -> dict[str, str] | None:
    """Return the text fields of a form; None where the body is no form, or cannot be read as one."""
    try:
        form = await request.post()
    except (ValueError, LookupError, HttpProcessingError, web.RequestPayloadError):
        return None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def html_page(
    title: str,
    content: Markup,
    *,
    tab: str | None = None,
    status: int = 200,
    styles: LiteralString = "",
    leads_away: bool = False,
    framed: bool = False,
) -> web.Response:
    """Return a whole page.

    Browsers may not store it, so that going back shows the present state. Its content security policy allows
    its own style and forms, and nothing else: no script, no image, no other site.

    Args:
        title: The heading.
        content: What follows the heading.
        tab: The name of the tab, which a screen reader says first; the heading unless given.
        status: The HTTP status.
        styles: CSS in addition to the one that all pages share.
        leads_away: Whether its forms may end at another site, by their address or by a redirect.
        framed: Whether another site may show it in a frame, as shops do with a bank's page.
    """
    style = _STYLE + styles
    page = markup(_PAGE, tab=title if tab is None else tab, title=title, content=content, style=Markup(style))
    return web.Response(
        status=status,
        body=page.text.encode(errors="replace"),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": _policy(style, leads_away=leads_away, framed=framed),
            "X-Content-Type-Options": "nosniff",
            hdrs.CACHE_CONTROL: "no-store",
        },
    )


def _policy(style: str, *, leads_away: bool, framed: bool) -> str:
    targets = "'self' http: https:" if leads_away else "'self'"
    frames = "*" if framed else "'none'"
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; form-action {targets}; base-uri 'none';"
        f" frame-ancestors {frames}"
    )


def _written(value: Content) -> str:
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value.text
    if isinstance(value, (str, int)):
        return escape(str(value))
    return "".join(map(_written, value))


@functools.cache
def _digest(style: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{tab} · Plexy Pay sandbox</title>
<style>{style}</style>
</head>
<body>
<header><p>Plexy Pay <span>sandbox</span></p></header>
<main>
<h1>{title}</h1>
{content}
</main>
<footer><p>This is a sandbox: no money moves here.</p></footer>
</body>
</html>
"""

_STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --paper: #fff; --ink: #1b2130; --faint: #5a6376; --line: #d5d9e2;
  --accent: #3a45c4; --on-accent: #fff; --good: #146c43; --bad: #b02a37; --warn: #7d5600; --code: #eef0f4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151c; --paper: #1b202b; --ink: #e7eaf1; --faint: #a3acbf; --line: #374052;
    --accent: #a6b0ff; --on-accent: #11142b; --good: #6fd3a0; --bad: #ff9aa2; --warn: #edc268;
    --code: #242b39;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, sans-serif;
}
header, main, footer { max-width: 34rem; margin: 0 auto; padding: 0 1rem; }
header p { margin: 1rem 0; font-weight: 700; }
header span {
  margin-left: .25rem; padding: .1rem .5rem; border-radius: 1rem; font-size: .8rem;
  background: var(--warn); color: var(--paper);
}
main {
  padding: 1.25rem 1rem; background: var(--paper); border: 1px solid var(--line); border-radius: .75rem;
}
footer { color: var(--faint); font-size: .875rem; }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: .25rem 1rem; margin: 1rem 0; }
dt { color: var(--faint); }
dd { margin: 0; }
label { display: block; margin: 0 0 .25rem; font-weight: 600; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; align-items: start; }
input:not([type=radio], [type=checkbox]), select {
  width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--paper); border: 1px solid var(--faint); border-radius: .5rem;
}
button {
  min-height: 2.75rem; padding: .5rem 1.25rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: .5rem;
}
button.plain { color: var(--accent); background: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
pre, code { font-family: ui-monospace, monospace; font-size: .875rem; }
pre {
  margin: .5rem 0; padding: .75rem; max-height: 24rem; overflow: auto; white-space: pre-wrap;
  background: var(--code); border-radius: .5rem;
}
.faint { color: var(--faint); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
.note { padding: .5rem .75rem; border: 1px solid; border-left-width: .3rem; border-radius: .5rem; }
"""
