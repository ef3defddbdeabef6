"""A page of the sandbox as a customer finds it: heading, facts, fields and buttons, read from its HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser

__all__ = ["Page"]

_VOID = {"meta", "input", "img", "link", "br"}


class Page(HTMLParser):
    """One answer: its status, where it is or leads, and what stands in it."""

    def __init__(self, status: int, url: str, headers: Mapping[str, str], source: str) -> None:
        super().__init__()
        self.status = status
        self.url = url
        self.headers = headers
        self.content_type = headers.get("Content-Type", "")
        self.leads_to = headers.get("Location", "")
        self.source = source
        self.heading = ""
        self.tab = ""
        """The name of the tab."""
        self.text = ""
        self.facts: dict[str, str] = {}
        """The list of descriptions: what stands behind each term."""
        self.inputs: dict[str, dict[str, str]] = {}
        self.labels: set[str] = set()
        """The ids that have a label."""
        self.buttons: dict[str, list[str]] = {}
        """The values of the buttons with a name."""
        self.current: list[str] = []
        self.structure: list[str] = []
        """The elements in their order, each with the names of its attributes."""
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.hrefs: list[str] = []
        self.method = ""
        """The first form's."""
        self.action: str | None = None
        self._open: list[str] = []
        self._term = ""
        self.feed(source)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    @property
    def visible_inputs(self) -> set[str]:
        """The fields that a customer sees."""
        return {name for name, found in self.inputs.items() if found.get("type") != "hidden"}

    def form(self) -> dict[str, str]:
        """Return what the first form holds before a customer changes it."""
        return {name: found.get("value", "") for name, found in self.inputs.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.structure.append(f"{tag} {' '.join(attributes)}")
        self.tags.add(tag)
        self.ids.add(attributes.get("id", ""))
        assert not any(name.startswith("on") or name == "src" for name in attributes), attributes
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "input":
            self.inputs[attributes["name"]] = attributes
        elif tag == "label":
            self.labels.add(attributes["for"])
        elif tag == "button" and "name" in attributes:
            self.buttons.setdefault(attributes["name"], []).append(attributes["value"])
            if "aria-current" in attributes:
                self.current.append(attributes["value"])
        elif tag == "form" and not self.method:
            self.method = attributes["method"]
            self.action = attributes.get("action")
        elif tag == "a":
            self.hrefs.append(attributes["href"])
        elif tag == "dt":
            self._term = ""

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "title" in self._open:
            self.tab += data
        elif "h1" in self._open:
            self.heading += data
        elif "dt" in self._open:
            self._term += data
        elif "dd" in self._open:
            self.facts[self._term] = self.facts.get(self._term, "") + data
