"""What an attempt with a lost answer has done: found by looking it up, believed only once that is proved.

The look-up by order reference rests on an assumed path. Its "not found" counts only after the path has found
something known to exist, on this client: a link that the client created, or the first one with a reference in
the listing, which is a published path.
"""

from __future__ import annotations

import asyncio
import enum
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, cast

from .._wire.api_errors import is_of_the_api
from .._wire.messages import WireResponse
from .._wire.named_link import NamedLink
from ..api.checks import says_nothing
from ..api.identities import StoredIdentity
from ..api.operation import Listing, LookUp, Operation
from ..errors import (
    APIError,
    NotFoundError,
    OrderReferenceConflictError,
    Outcome,
    PlexyPayError,
    UnreadableResponseError,
)
from .reads import Reader, read
from .record import CallRecord, Doubt

if TYPE_CHECKING:
    from .._wire.codec import ListingCodec, OperationCodec
    from ..pagination import PageBody

__all__ = ["Confirmed", "Recovery", "confirmed"]

E = TypeVar("E", bound=PlexyPayError)
R = TypeVar("R")
T = TypeVar("T")

PROOF_PAGE_SIZE = 100
DISPROVED_FOR = 60.0
"""Seconds in which a path that did not find what is known to exist is not tried again."""


class Codecs(Protocol):
    """What gives the codecs of what is read."""

    def codec(self, operation: Operation[..., T]) -> OperationCodec[T]:
        """Return an operation's codec."""
        ...

    def listing_codec(self, listing: Listing[..., T]) -> ListingCodec[T]:
        """Return a listing's codec."""
        ...


class UnderWay(Reader, Protocol):
    """The call that wants to know what it has done."""

    @property
    def execution(self) -> Codecs:
        """What gives the codecs of what is read."""
        ...

    def now(self) -> float:
        """Return the loop's time."""
        ...


class Standing(enum.Enum):
    """What is known of a look-up's path."""

    UNPROVED = enum.auto()
    PROVED = enum.auto()
    DISPROVED = enum.auto()


class Recovery:
    """What a client has learned about its look-up, shared by all of its calls."""

    def __init__(self) -> None:
        self._standing = Standing.UNPROVED
        self._disproved_at = -math.inf
        self.known: str | None = None
        self._locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    def note_created(self, created: CallRecord) -> None:
        """Remember a created resource, with which the look-up can prove itself."""
        if self.known is None and created.declaration.look_up is not None:
            self.known = created.order_reference

    def may_find(self, created: CallRecord) -> bool:
        """Tell whether what a call has created can be looked up."""
        has_look_up = created.declaration.look_up is not None and created.order_reference is not None
        return has_look_up and not self._is_disproved()

    def _is_disproved(self) -> bool:
        """Tell whether the path has lately not found what is known to exist; a server may be set right."""
        if self._standing is Standing.DISPROVED and time.monotonic() >= self._disproved_at + DISPROVED_FOR:
            self._standing = Standing.UNPROVED
        return self._standing is Standing.DISPROVED

    async def find(self, call: UnderWay, error: PlexyPayError, *, at_once: bool = False) -> tuple[Any, float]:
        """Find what a call with a lost answer has created, and tell at what time it was looked for.

        None means that it was not there then; what is late may come yet.

        Args:
            call: The call.
            error: What its last attempt has met.
            at_once: Whether it is looked for without a pause before: the server says that it is there.

        Raises:
            OrderReferenceConflictError: The reference belongs to something else.
            UnreadableResponseError: It is there, as it was asked for, and cannot be read as a whole.
            OutcomeUnknownError: It cannot be known: the look-up is disproved, or failed for good.
            PlexyPayError: The deadline or the budget ended the call.
        """
        record = call.record
        look_up, reference = record.declaration.look_up, record.order_reference
        if look_up is None or reference is None:
            raise record.unknown(error)
        if self._is_disproved():
            raise self._disproved(call, error, look_up)
        if record.sent and not at_once:
            # What was sent may still be at work on the server.
            await call.pause(error)
        asked_at = call.now()
        found, by_the_api = await self._look(call, look_up, reference, error)
        if found is None and at_once and call.max_attempts > 1:
            # What refuses a reference may know of it a moment before what finds it does.
            await call.pause(error)
            asked_at = call.now()
            found, by_the_api = await self._look(call, look_up, reference, error)
        if not by_the_api:
            # Of the server's knowledge that says nothing; a repeat may follow, which the reference protects.
            asked_at = -math.inf
        if found is not None:
            self._standing = Standing.PROVED
        elif self._standing is not Standing.PROVED:
            found = await self._prove(call, look_up, reference, error)
        if isinstance(found, NamedLink):
            found = await self._retrieved(call, look_up, found, reference)
        if found is not None:
            _check_same(record, look_up, found, error)
        return found, asked_at

    async def _look(
        self, call: UnderWay, look_up: LookUp[R], reference: str, error: PlexyPayError
    ) -> tuple[R | NamedLink | None, bool]:
        """Look one reference up; None where the answer is "not found", and whether it is the API's.

        What cannot be read as a whole is believed as far as it names the reference.
        """
        codec: OperationCodec[Any] = call.execution.codec(look_up.find)
        request = look_up.find.request(StoredIdentity(reference))
        try:
            found: R | NamedLink = await read(
                call,
                codec,
                codec.encode(request),
                lambda answer: look_up.find.misfit(request, answer) or _unnamed(answer, look_up.by),
                _named_as(look_up.by, reference),
                is_named=True,
            )
        except NotFoundError as missing:
            return None, is_of_the_api(missing)
        except (APIError, UnreadableResponseError) as failure:
            wrong_path = isinstance(failure, UnreadableResponseError) or failure.status in (400, 405, 422)
            raise call.record.unknown(failure, _override(look_up) if wrong_path else None) from failure
        if getattr(found, look_up.by) != reference:
            raise call.record.unknown(
                error, f"{look_up.find.name} answered with another order reference. {_override(look_up)}"
            )
        return found, True

    async def _prove(
        self, call: UnderWay, look_up: LookUp[R], reference: str, error: PlexyPayError
    ) -> R | NamedLink | None:
        """Make the proof, once for all calls that wait for it.

        Returns:
            What was looked for, if the listing has it; None where "not found" may be believed.
        """
        async with self._lock():
            if self._standing is Standing.UNPROVED:
                known = self.known
                if known is None:
                    items = await self._listed(call, look_up, error)
                    if not items:
                        return None
                    for item in items:
                        if getattr(item, look_up.by) == reference:
                            return await self._retrieved(call, look_up, item, reference)
                    known = next((ref for item in items if (ref := getattr(item, look_up.by))), None)
                if known is None:
                    raise call.record.unknown(
                        error, "The listing has no link with an order reference to prove the look-up."
                    )
                if await self._finds(call, look_up, known, error):
                    self._standing = Standing.PROVED
                else:
                    self._standing, self._disproved_at = Standing.DISPROVED, time.monotonic()
        if self._standing is Standing.DISPROVED:
            raise self._disproved(call, error, look_up)
        return None

    async def _finds(self, call: UnderWay, look_up: LookUp[Any], known: str, error: PlexyPayError) -> bool:
        found, by_the_api = await self._look(call, look_up, known, error)
        if found is None and call.max_attempts > 1:
            await call.pause(error)
            found, by_the_api = await self._look(call, look_up, known, error)
        if found is None and not by_the_api:
            # Something in between has answered, which says nothing of the path.
            raise call.record.unknown(error, "The look-up did not reach the API.")
        return found is not None

    async def _listed(self, call: UnderWay, look_up: LookUp[Any], error: PlexyPayError) -> tuple[Any, ...]:
        codec = call.execution.listing_codec(look_up.listing)
        path, filters = codec.filters(look_up.listing.request())
        try:
            body = await read(call, codec, codec.encode(path, filters, 1, PROOF_PAGE_SIZE), first_page_misfit)
        except (APIError, UnreadableResponseError) as failure:
            raise call.record.unknown(failure) from failure
        if not body.items and (body.total or (body.total is None and body.entries is None)):
            raise call.record.unknown(error, "The listing that would prove the look-up is not plainly empty.")
        return body.items

    async def _retrieved(
        self, call: UnderWay, look_up: LookUp[R], known: Any, reference: str
    ) -> R | NamedLink:
        """Retrieve the link of a reference by its id, where a part of it is known.

        Returns:
            The link; where that cannot be read either, what is known of it.
        """
        id: str | None = known.id
        if id is None:
            return cast("NamedLink", known)
        codec: OperationCodec[Any] = call.execution.codec(look_up.retrieve)
        retrieve, request = look_up.retrieve, look_up.retrieve.request(id)
        try:
            found: Any = await read(
                call,
                codec,
                codec.encode(request),
                lambda answer: retrieve.misfit(request, answer),
                _named_as("id", id),
                is_named=True,
            )
            if found.id != id or getattr(found, look_up.by) not in (None, reference):
                raise UnreadableResponseError(f"{retrieve.name}: the answer shows another link", status=200)
        except (APIError, UnreadableResponseError) as failure:
            if isinstance(known, NamedLink):
                return known
            raise call.record.unknown(failure) from failure
        if isinstance(found, NamedLink) and isinstance(known, NamedLink):
            return found.or_else(known)
        return cast("R | NamedLink", found)

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        for other in [known for known in self._locks if known.is_closed()]:
            del self._locks[other]
        return self._locks.setdefault(loop, asyncio.Lock())

    def _disproved(self, call: UnderWay, error: PlexyPayError, look_up: LookUp[Any]) -> PlexyPayError:
        return call.record.unknown(
            error, f"The look-up did not find a link known to exist. {_override(look_up)}"
        )


def first_page_misfit(body: PageBody[Any]) -> str | None:
    """Tell that an answer is not the first page."""
    return None if body.page in (None, 1) else f"page {body.page} when asked for page 1"


def _unnamed(answer: Any, name: str) -> str | None:
    """Tell that an answer does not name what was looked for, as that to the creation of another one."""
    return f"no {name}" if getattr(answer, name) is None else None


def _override(look_up: LookUp[Any]) -> str:
    find = look_up.find
    return (
        f"The path {find.path} of {find.name} is assumed; if it is wrong, override it with "
        f'paths={{"{find.name}": "{find.root}/..."}}.'
    )


def _named_as(name: str, value: str) -> Callable[[UnreadableResponseError, WireResponse], NamedLink | None]:
    """Return what takes an answer that cannot be read as a whole for the link of which it has this field."""

    def named(error: UnreadableResponseError, answer: WireResponse) -> NamedLink | None:
        link = NamedLink.of(error, answer)
        return link if link.is_found and getattr(link, name) == value else None

    return named


def _check_same(record: CallRecord, look_up: LookUp[Any], found: Any, error: PlexyPayError) -> None:
    """Raise where what was found is not the link that was asked for, or cannot be returned as a whole."""
    same = {name: None if says_nothing(value := getattr(found, name)) else value for name in look_up.same}
    differing = [
        f"{name} {value!r} instead of {getattr(record.request, name)!r}"
        for name, value in same.items()
        if value is not None and _folded(value) != _folded(getattr(record.request, name))
    ]
    if found.status in look_up.dead:
        dead = f"status {str(found.status)!r}"
        if not differing and record.doubt is Doubt.OPEN:
            # It may be what this call has made, and has come to its end meanwhile.
            note = f"The order reference is that of {found.id} with {dead}."
            raise _with_link(record.unknown(error, note), found)
        differing.append(dead)
    if differing:
        raise _with_link(_conflict(record, found.id, ", ".join(differing)), found) from error
    unread = [name for name, value in same.items() if value is None]
    if unread:
        # Whether it is the link that was asked for, or one of another amount, is not known.
        note = f"The order reference is that of {found.id}, whose {', '.join(unread)} cannot be read."
        raise _with_link(record.unknown(getattr(found, "error", error), note), found)
    if isinstance(found, NamedLink):
        raise _with_link(_seen(record.name, found.error), found)


def _conflict(record: CallRecord, id: str | None, differing: str) -> OrderReferenceConflictError:
    told = f"{record.name}: the order reference {record.order_reference!r} "
    if not record.may_have_made:
        return OrderReferenceConflictError(f"{told}already belongs to {id} with {differing}")
    return OrderReferenceConflictError(
        f"{told}is that of {id} with {differing}: it may be another order's, or what was made here by a"
        " request whose answer is not known; look at it before creating another",
        outcome=Outcome.UNKNOWN,
    )


def _seen(name: str, error: UnreadableResponseError) -> UnreadableResponseError:
    """Return the error of a link that is there, as it was asked for, and cannot be read as a whole."""
    told = f"{name}: the link is there, and cannot be read as a whole ({error})"
    seen = UnreadableResponseError(told, status=error.status, body=error.body, raw=error.raw)
    seen.__cause__ = error
    return seen


def _with_link(error: E, link: Any) -> E:
    """Return an error that tells a link."""
    error.link_id, error.link_url = link.id, getattr(link, "url", None)
    return error


def _folded(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Confirmed(NamedTuple, Generic[R]):
    """What a repeated call that was refused has found."""

    found: R
    as_wanted: bool
    """Whether it is as the call wanted it."""
    is_final: bool
    """Whether it is in a state that it never leaves, so that what is late can change nothing."""

    def __repr__(self) -> str:
        return object.__repr__(self)


async def confirmed(call: UnderWay) -> Confirmed[Any] | None:
    """Retrieve what a repeated call was refused for; None where it cannot be read."""
    record = call.record
    confirmation = record.declaration.confirmation
    if confirmation is None:
        return None
    codec = call.execution.codec(confirmation.retrieve)
    parameters = {name: getattr(record.request, name) for name in confirmation.retrieve.path_parameters}
    try:
        request = confirmation.retrieve.request(**parameters)
        found: Any = await read(
            call, codec, codec.encode(request), lambda answer: confirmation.retrieve.misfit(request, answer)
        )
    except (APIError, UnreadableResponseError):
        return None
    state = getattr(found, confirmation.attribute)
    return Confirmed(found, state == confirmation.wanted, state in confirmation.final)
