"""Misbehaviour on demand: what a fault is, how it is written, and which requests or webhooks it strikes.

A fault is written as text, ``code=1,rate=0.05``, on the command line and the admin path, as a JSON object,
``{"code": 1, "rate": 0.05}``, or as ``Fault(code=1, rate=0.05)``.
"""

from __future__ import annotations

import enum
import fnmatch
import itertools
import math
import random
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import attrs

from .._privacy.hiding import shown
from ..errors import error_codes
from .exchange import ERRORS, ApiResponse, error_body, published_error

__all__ = ["Cut", "Fault", "Faults", "ForeignBody", "Misdelivery", "Strike", "Work"]

_E = TypeVar("_E", bound=enum.StrEnum)


class Cut(enum.StrEnum):
    """Where the connection is closed."""

    BEFORE = "before"
    """Before the work is done."""
    AFTER = "after"
    """After the work is done, without an answer."""
    BODY = "body"
    """After the work is done, in the middle of the answer's body."""
    LATE = "late"
    """At once, and the work is done later, by the seconds of the fault's `latency`: the request is held up on
    its way."""


class ForeignBody(enum.StrEnum):
    """A body that is not the API's own, such as a gateway before it would send."""

    HTML = "html"
    """A page that names the status."""
    EMPTY = "empty"
    """Nothing."""
    MESSAGE = "message"
    """``{"message":"busy"}``: no code."""
    CODE = "code"
    """``{"code":1,"message":"busy"}``, with a status that the API does not send with this code."""
    ERROR = "error"
    """``{"error":"busy"}``"""
    STATUS = "status"
    """``{"status":"error"}``"""


class Work(enum.StrEnum):
    """Whether the work is done although the client does not learn of it."""

    BEFORE = "before"
    """The fault comes before the work: it is not done."""
    AFTER = "after"
    """The fault comes after the work: it is done."""
    RANDOM = "random"
    """One or the other, with equal chance."""


class Misdelivery(enum.StrEnum):
    """How a webhook is delivered wrongly although its receiver works."""

    TWICE = "twice"
    """It is delivered, and delivered again at once."""
    LATE = "late"
    """It comes later, by the seconds of the fault's `latency`, of the sandbox's clock."""
    REORDERED = "reordered"
    """It comes after the next one of the same transaction, or a minute later where none follows."""
    NEVER = "never"
    """It does not come."""


def _as_cut(value: Cut | str | None) -> Cut | None:
    return None if value is None else _member(Cut, "cut", value)


def _as_body(value: ForeignBody | str | None) -> ForeignBody | None:
    return None if value is None else _member(ForeignBody, "body", value)


def _as_misdelivery(value: Misdelivery | str | None) -> Misdelivery | None:
    return None if value is None else _member(Misdelivery, "delivery", value)


def _as_work(value: Work | str) -> Work:
    return _member(Work, "work", value)


def _as_header(value: str | float | None) -> str | None:
    return str(value) if type(value) in (int, float) else cast("str | None", value)


@attrs.frozen(kw_only=True)
class Fault:
    """One way of misbehaving, and the requests or webhooks that it strikes.

    What happens (at most one of the first six):

    Args:
        code: This error of the API is answered, with its status unless `status` says another. Every code
            that a class of `APIError` stands for is possible: 1 to 5.
        status: An error with this status (300 to 599) is answered, with the body of the code that goes
            with it, or with `body`.
        cut: Where the connection is closed, a `Cut`: ``before``, ``after``, ``body`` or ``late``.
        hang: No answer comes until the client goes or the sandbox stops.
        decline: A payment that is declined, or another refusal that says ``success: false``, is answered with
            this status (400 to 599) and not with 200. Which one the API has is not published. What is not
            refused is answered as ever. Of the Checkout API, what says ``Refused`` is answered as its error
            of a card.
        delivery: How a webhook comes, a `Misdelivery`: ``twice``, ``late``, ``reordered`` or ``never``.
        latency: Seconds that pass before anything else happens. With `capacity`: the seconds that the work
            of each request takes.
        work: With `code`, `status` or `hang`, whether the fault comes ``before`` the work (the default),
            ``after`` it (it is done, but the client does not learn of it) or at ``random``.
        body: With `status`, which may then be 200 and above too, what is answered in place of the API's own
            body, a `ForeignBody`: ``html``, ``empty``, ``message``, ``code``, ``error`` or ``status``.
        retry_after: With an error, the header ``Retry-After``: seconds, or an HTTP date as text.

    Which requests or webhooks it strikes:

    Args:
        rate: The probability, 0 to 1, drawn from the sandbox's `seed`.
        times: At most so many requests or webhooks; then the fault is spent.
        operation: Only this operation, such as ``payment_links.create``, or a group, ``payment_links.*``; of
            another API than the Pay API, by its name: ``gate.orders.create``, ``gate.orders.*``, ``gate.*``.
        event: With `delivery`, only webhooks of this name, such as ``transaction.charged``, or of a group,
            ``transaction.*``.
        capacity: Only the requests above so many at once, which are answered with code 1 unless `code` or
            `status` says another. The sandbox itself answers at once, so give the work a `latency`.
        id: The number given by `Faults.add`, 0 before; not compared, not written.

    Raises:
        ValueError: A value is not possible; the message names it and says what is allowed.
    """

    code: int | None = None
    status: int | None = None
    cut: Cut | None = attrs.field(default=None, converter=_as_cut)
    hang: bool = False
    decline: int | None = None
    delivery: Misdelivery | None = attrs.field(default=None, converter=_as_misdelivery)
    latency: float = 0.0
    work: Work = attrs.field(default=Work.BEFORE, converter=_as_work)
    body: ForeignBody | None = attrs.field(default=None, converter=_as_body)
    retry_after: str | None = attrs.field(default=None, converter=_as_header)
    rate: float = 1.0
    times: int | None = None
    operation: str | None = None
    event: str | None = None
    capacity: int | None = None
    id: int = attrs.field(default=0, eq=False)

    def __attrs_post_init__(self) -> None:
        _check_values(self)
        _check_together(self)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault from text such as ``cut=after,rate=0.05,operation=payment_links.create``.

        Raises:
            ValueError: It is no fault; the message names the key and what is allowed.
        """
        if text.strip()[:1] in tuple("\"'[{"):
            raise ValueError(
                "fault: expected plain text without quotes, such as code=1,rate=0.05, got"
                f" {shown(text.strip(), 60)}; on the admin path a JSON object may be given too"
            )
        values: dict[str, Any] = {}
        # An HTTP date has a comma of its own.
        for part in re.split(r",(?=\s*\w+\s*=)", text.strip()):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not key or not value:
                raise ValueError(
                    f"fault: expected key=value,key=value such as code=1,rate=0.05, got {part!r}"
                )
            if key in values:
                raise ValueError(f"{key}: given twice")
            _check_key(key)
            values[key] = _read(_TYPES[key], value)
        return cls(**values)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fault:
        """Read a fault from a decoded JSON object with the same keys as the text.

        Raises:
            ValueError: It is no fault; the message names the key and what is allowed.
        """
        for key in document:
            _check_key(key)
        return cls(**{key: value for key, value in document.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """Return what was given, as an object that JSON can carry."""
        return attrs.asdict(self, filter=lambda field, value: field.name in _TYPES and value != field.default)

    def __str__(self) -> str:
        return ",".join(
            f"{key}={str(value).lower() if isinstance(value, bool) else value}"
            for key, value in self.to_json().items()
        )

    @property
    def answers_error(self) -> bool:
        """Whether its effect is an error as the answer."""
        return self.code is not None or self.status is not None or self.capacity is not None

    @property
    def only_delays(self) -> bool:
        """Whether the request goes through after its latency."""
        others = (self.cut, self.decline, self.delivery)
        return not (self.answers_error or self.hang) and all(other is None for other in others)

    def matches(self, operation: str | None) -> bool:
        """Whether it may strike a request to this operation; None is one to no operation at all."""
        return self.delivery is None and _matches(self.operation, operation)

    def matches_delivery(self, event: str) -> bool:
        """Whether it may strike a webhook of this name."""
        return self.delivery is not None and _matches(self.event, event)

    def error(self) -> tuple[ApiResponse, Mapping[str, str]]:
        """Return the error that it answers, and its further headers."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        code, status = self.code, self.status
        if self.body is not None and status is not None:
            return ApiResponse(status, _FOREIGN_DOCUMENTS.get(self.body)), headers
        if code is None:
            code = 1 if status is None else _CODES.get(status, 2 if status >= 500 else 3)
        if status is None:
            status = published_error(code).status
        message = "too many requests" if status == 429 and self.code is None else None
        return ApiResponse(status, error_body(code, message)), headers


@attrs.define(eq=False)
class _FaultInForce:
    """How often a fault struck, and how many requests are in its capacity."""

    fault: Fault
    struck: int = 0
    inside: int = 0


@attrs.define
class Strike:
    """What the faults in force do to one request. Call `release` when the request is over."""

    latency: float
    """Seconds to wait first."""
    fault: Fault | None
    """What happens then; None: the request goes through."""
    works: bool
    """Whether the work is done although the fault strikes."""
    _held_capacities: tuple[_FaultInForce, ...] = ()

    def release(self) -> None:
        """Make room for another request where a capacity was taken."""
        for entry in self._held_capacities:
            entry.inside -= 1
        self._held_capacities = ()


class Faults:
    """The faults in force, in the order in which they were added.

    Latencies add up; of the errors, cuts and hangs, the first that strikes wins. Any thread may change them
    while requests arrive.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self._random = random.Random(seed)
        self._ids = itertools.count(1)
        self._in_force: dict[int, _FaultInForce] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([entry.fault for entry in self._in_force.values()])

    def __len__(self) -> int:
        return len(self._in_force)

    def __repr__(self) -> str:
        return f"<Faults: {'; '.join(map(str, self)) or 'none'}>"

    def add(self, fault: Fault | str) -> Fault:
        """Put a fault, or the text of one, in force; return it with its `id`.

        Raises:
            ValueError: The text is no fault.
        """
        identifier = next(self._ids)
        if isinstance(fault, str):
            fault = Fault.parse(fault)
        fault = attrs.evolve(fault, id=identifier)
        with self._lock:
            self._in_force[identifier] = _FaultInForce(fault)
        return fault

    def remove(self, identifier: int) -> None:
        """Lift the fault with this id.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._in_force[identifier]

    def clear(self) -> None:
        """Lift every fault."""
        with self._lock:
            self._in_force.clear()

    def struck(self, identifier: int) -> int:
        """Return how many requests or webhooks the fault with this id has struck.

        Raises:
            KeyError: There is none.
        """
        return self._in_force[identifier].struck

    def strike(self, operation: str | None) -> Strike | None:
        """Return what happens to a request that arrives now; None: nothing."""
        with self._lock:
            latency = 0.0
            chosen: Fault | None = None
            entered: list[_FaultInForce] = []
            for entry in self._in_force.values():
                fault = entry.fault
                if not fault.matches(operation):
                    continue
                if not self._strikes(entry) or (chosen is not None and not fault.only_delays):
                    if fault.capacity is not None:
                        entered.append(entry)
                    continue
                entry.struck += 1
                if fault.capacity is None:
                    latency += fault.latency
                if not fault.only_delays:
                    chosen = fault
            if chosen is not None and chosen.capacity is not None:
                return Strike(latency, chosen, works=False)
            for entry in entered:
                entry.inside += 1
                latency += entry.fault.latency
            if chosen is None and not latency and not entered:
                return None
            return Strike(latency, chosen, self._works(chosen), tuple(entered))

    def strike_delivery(self, event: str) -> Fault | None:
        """Return the first fault that strikes a webhook of this name now."""
        with self._lock:
            for entry in self._in_force.values():
                if entry.fault.matches_delivery(event) and self._strikes(entry):
                    entry.struck += 1
                    return entry.fault
        return None

    def _strikes(self, entry: _FaultInForce) -> bool:
        fault = entry.fault
        if fault.times is not None and entry.struck >= fault.times:
            return False
        if fault.capacity is not None and entry.inside < fault.capacity:
            return False
        return fault.rate >= 1.0 or self._random.random() < fault.rate

    def _works(self, fault: Fault | None) -> bool:
        if fault is None:
            return True
        if fault.cut is not None:
            return fault.cut is not Cut.BEFORE
        if fault.decline is not None:
            return True
        if fault.work is Work.RANDOM:
            return self._random.random() < 0.5
        return fault.work is Work.AFTER


def _check_values(fault: Fault) -> None:
    codes = sorted(error_codes())
    _check_number("code", fault.code, whole=True, least=codes[0], most=codes[-1])
    if fault.code is not None and fault.code not in codes:
        raise ValueError(f"code: expected one of {', '.join(map(str, codes))}, got {fault.code}")
    _check_number("status", fault.status, whole=True, least=300 if fault.body is None else 200, most=599)
    _check_number("decline", fault.decline, whole=True, least=400, most=599)
    _check_number("latency", fault.latency, least=0, most=3600)
    _check_number("rate", fault.rate, least=0, most=1)
    _check_number("times", fault.times, whole=True, least=1)
    _check_number("capacity", fault.capacity, whole=True, least=1)
    if type(fault.hang) is not bool:
        raise ValueError(f"hang: expected true or false, got {fault.hang!r}")
    _check_text("retry_after", fault.retry_after)
    _check_name("operation", fault.operation, "payment_links.create or payment_links.*")
    _check_name("event", fault.event, "transaction.charged or transaction.*")
    if fault.retry_after is not None and "=" in fault.retry_after:
        raise ValueError(f"retry_after: expected seconds or an HTTP date, got {fault.retry_after!r}")


def _check_together(fault: Fault) -> None:
    kinds = [
        name
        for name, given in (
            ("code or status", fault.code is not None or fault.status is not None),
            ("cut", fault.cut is not None),
            ("hang", fault.hang),
            ("decline", fault.decline is not None),
            ("delivery", fault.delivery is not None),
        )
        if given
    ]
    if len(kinds) > 1:
        raise ValueError(f"{kinds[1]}: not together with {kinds[0]}; add a fault for each")
    if fault.capacity is not None and kinds and kinds[0] != "code or status":
        raise ValueError(f"capacity: answers an error, so it does not go together with {kinds[0]}")
    if fault.capacity is not None and fault.work is not Work.BEFORE:
        raise ValueError("work: requests above the capacity are never done")
    if fault.body is not None and (fault.status is None or fault.code is not None):
        raise ValueError("body: goes with status, and not with code, whose body is the API's own")
    if fault.cut is Cut.LATE and not fault.latency:
        raise ValueError("latency: says how many seconds late; give it with cut=late")
    if fault.retry_after is not None and not fault.answers_error:
        raise ValueError("retry_after: goes with an error; give code, status or capacity too")
    if fault.work is not Work.BEFORE and not (fault.answers_error or fault.hang):
        raise ValueError("work: goes with code, status or hang; a cut says itself whether the work is done")
    _check_delivery(fault)
    if fault.only_delays and not fault.latency:
        raise ValueError(
            "fault: has no effect; give one of code, status, latency, cut, hang, decline, capacity, delivery"
        )


def _check_delivery(fault: Fault) -> None:
    if fault.delivery is None:
        if fault.event is not None:
            raise ValueError("event: goes with delivery; a request is struck by its operation")
        return
    if fault.operation is not None:
        raise ValueError("operation: goes with requests; a delivery is struck by its event")
    if fault.delivery is Misdelivery.LATE and not fault.latency:
        raise ValueError("latency: says how many seconds late; give it with delivery=late")
    if fault.delivery is not Misdelivery.LATE and fault.latency:
        raise ValueError(f"latency: not together with delivery={fault.delivery}, only with delivery=late")


def _check_number(
    name: str, value: object, *, whole: bool = False, least: float, most: float = math.inf
) -> None:
    if value is None:
        return
    kind = "a whole number" if whole else "a number"
    upper = f" to {most:g}" if most < math.inf else ""
    allowed = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not least <= value <= most:
        raise ValueError(f"{name}: expected {kind} from {least:g}{upper}, got {value!r}")


def _check_text(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{name}: expected printable ASCII text, got {value!r}")


def _check_name(name: str, value: object, such_as: str) -> None:
    _check_text(name, value)
    if isinstance(value, str) and re.fullmatch(r"(\w+\.){1,2}(\w+|\*)|\*", value) is None:
        raise ValueError(f"{name}: expected a name such as {such_as}, got {value!r}")


def _matches(pattern: str | None, name: str | None) -> bool:
    return pattern is None or (name is not None and fnmatch.fnmatchcase(name, pattern))


def _member(kind: type[_E], name: str, value: object) -> _E:
    if isinstance(value, str):
        for member in kind:
            if member.value == value:
                return member
    raise ValueError(f"{name}: expected {', '.join(kind)}, got {value!r}")


def _check_key(key: str) -> None:
    if key not in _TYPES:
        raise ValueError(f"{key}: no such key; allowed are {', '.join(_TYPES)}")


def _read(kind: str, text: str) -> object:
    """Return the value of a type; where the text has none, the text, which the checks of the fault refuse."""
    try:
        if kind == "int | None":
            return int(text)
        if kind == "bool":
            return {"true": True, "false": False}.get(text, text)
        return float(text) if kind == "float" else text
    except ValueError:
        return text


_FOREIGN_DOCUMENTS: Mapping[ForeignBody, Any] = {
    ForeignBody.MESSAGE: {"message": "busy"},
    ForeignBody.CODE: {"code": 1, "message": "busy"},
    ForeignBody.ERROR: {"error": "busy"},
    ForeignBody.STATUS: {"status": "error"},
}
_CODES = {published.status: code for code, published in ERRORS.items()} | {429: 1, 409: 5}
"""The code of an error with a status."""
_TYPES: Mapping[str, str] = {
    field.name: str(field.type) for field in attrs.fields(Fault) if field.name != "id"
}
"""The type of the value of each key that a fault is written with."""
