"""What differs between the vendor's APIs, declared once for each: nothing else knows one of them by name.

An `API` is data, as an operation is. Its groups are in a package of its own, and each of their declarations
has it as `api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs

from ..errors import APIError

__all__ = ["API", "ClientParameter", "ErrorForm", "Paging"]


def _no_class(_: int | str) -> type[APIError] | None:
    return None


class ErrorForm(NamedTuple):
    """How an API says that it has not done what it was asked for; `_wire.api_errors` reads it."""

    inside: str | None = None
    """The object of the body in which the error stands; where there is none, the body is read itself."""
    code: tuple[str, ...] = ("code",)
    """Names of the error's code, of which the first that is there counts."""
    message: tuple[str, ...] = ("message",)
    """Names of its message."""
    parameter: str | None = None
    """Name of what tells the request's parameter that is wrong."""
    request_id: str | None = None
    """Name of the request's id, as far as the body has it."""
    numbered: bool = False
    """Whether codes are numbers, in any spelling (``1``, ``"1"``, ``"0001"``)."""
    types: frozenset[str] = frozenset()
    """The published values of ``type``, by which an error is known to be the API's own."""
    class_of: Callable[[Any], type[APIError] | None] = _no_class
    """Returns the class that stands for a code."""
    classes_of_types: Mapping[str, type[APIError]] = {}
    """The class that stands for a type, where the code says no more."""
    classes_of_statuses: Mapping[int, type[APIError]] = {}
    """The class that stands for a status of the API's own errors, where neither code nor type says more."""
    unexpected: int | None = None
    """The code of an error after which the work may have been done, even where it is said to be refused."""
    reference_taken: int | None = None
    """The code that says that an order reference exists."""
    flagged: bool = False
    """Whether ``success: false`` in an answer says that the work was refused."""
    declining: frozenset[str] = frozenset()
    """Types of errors by which a payment is declined, and codes that say so without a type."""
    of_a_payment: tuple[str, ...] = ()
    """Names in a refusal that only one of a payment has."""
    refusal_codes: tuple[str, ...] = ("code",)
    """Names of a refusal's code."""
    schema: Mapping[str, Any] = {}
    """Its JSON Schema, for a description of the API."""
    published: bool = True
    """Whether it is published; else a code is nobody's sign, for whatever is in between may give one."""
    counts_statuses: bool = True
    """Whether what may be repeated is told by HTTP statuses; else by the codes of errors."""

    @property
    def telling(self) -> frozenset[str]:
        """Names in an answer with which it may say something else than that the work was done."""
        inside = () if self.inside is None else (self.inside,)
        return frozenset(("code", "error", "success", "type", *self.code, *inside))


class Paging(NamedTuple):
    """How a listing is asked for a page, and what a page is made of."""

    size: str = "size"
    """Name of the page's size, in the query and in the page."""
    items: str = "data"
    """Under what a page has its items."""


_USUAL = Paging()


class ClientParameter(NamedTuple):
    """What a client is made with, and each of its requests carries: in the path, or in the body."""

    name: str
    """Its name in Python and in a path, such as that of an account."""
    variable: str
    """The environment variable that has it where it is not given."""
    required: bool = True
    """Whether a client cannot be made without."""


@attrs.frozen(kw_only=True, eq=False)
class API:
    """One of the vendor's APIs."""

    name: str
    """Its name on the command line, and where several are told apart."""
    title: str
    """What people call it."""
    package: str
    """The package with its groups."""
    base_url: str | None
    """Its address; None where the vendor publishes none, so that one must be given."""
    base_url_variable: str
    """The environment variable that has the address where none is given."""
    key_variable: str
    """The environment variable that has the key where none is given."""
    key_header: str = "Authorization"
    """The header that carries the key, as it is."""
    errors: ErrorForm
    """How it says that something went wrong."""
    paging: Paging = _USUAL
    """How its listings are paged."""
    repeated: frozenset[int]
    """The codes of errors, or HTTP statuses, after which a call may be repeated where its class allows."""
    repeated_with_money: frozenset[int] = frozenset()
    """The same where money moves without a key, so that twice would be twice."""
    root: str | None = None
    """What all of its paths begin with, where its address is also printed with that at its end."""
    live_keys: str | None = None
    """What its keys begin with, by which one is kept out of clear text; None where that is not known."""
    parameters: tuple[ClientParameter, ...] = ()
    """What its clients are made with."""

    def __repr__(self) -> str:
        return f"<API {self.name}>"
