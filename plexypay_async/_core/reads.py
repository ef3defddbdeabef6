"""Reads that a call makes to find out what it has done, each repeated until its own answer comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from .._wire.api_errors import error_of
from .._wire.messages import Decoder, WireRequest, WireResponse, with_evidence
from ..errors import OutcomeUnknownError, PlexyPayError, UnreadableResponseError
from .decision import is_passing, shows_work
from .record import CallRecord
from .sending import Sending

__all__ = ["MOST_MISFITS", "Reader", "read"]

A = TypeVar("A")

MOST_MISFITS = 2
"""So many answers of another request a read passes over; another one is what the server means."""


class Reader(Protocol):
    """The call on whose behalf something is read: its deadline bounds the reads."""

    record: CallRecord

    @property
    def max_attempts(self) -> float:
        """How often each read is asked."""
        ...

    def attempt(self) -> Sending:
        """Return what will be known of a read."""
        ...

    async def send(self, wire_request: WireRequest, sending: Sending) -> WireResponse | PlexyPayError:
        """Send a request once."""
        ...

    def counts(self) -> bool:
        """Tell whether an attempt that has just failed counts: in an outage it was a probe, and does not."""
        ...

    def was_told(self) -> None:
        """Note that the server has answered, and so works."""
        ...

    async def pause(self, error: PlexyPayError) -> None:
        """Wait before the next read."""
        ...


async def read(
    reader: Reader,
    decoder: Decoder[A],
    wire_request: WireRequest,
    misfit: Callable[[A], str | None],
    unread: Callable[[UnreadableResponseError, WireResponse], A | None] | None = None,
    *,
    is_named: bool = False,
) -> A:
    """Read something within a call, asking until an answer comes that is one to this question.

    Args:
        reader: The call.
        decoder: What reads the answer.
        wire_request: The GET.
        misfit: Tells what an answer names that was not asked for.
        unread: Returns what an answer that does not decode says even so; None where that is nothing.
        is_named: Whether what is no misfit names the very thing that was asked for, so that the answer to
            another request that says the same is as good.

    Raises:
        APIError: The answer was no success, and asking again would not change it.
        UnreadableResponseError: The answer does not decode.
        PlexyPayError: The deadline or the client's policy ended the asking.
    """
    record, misfits, asked = reader.record, 0, 0
    while True:
        sending = reader.attempt()
        sending.new = sending.look = misfits > 0
        result = await reader.send(wire_request, sending)
        if isinstance(result, WireResponse) and result.is_success and result.complete:
            elsewhere = (
                None if is_named else sending.told_elsewhere(wire_request.target, result.headers, result.body)
            )
            last = misfits >= MOST_MISFITS
            answer = _answered(decoder, result, misfit, unread, sending, elsewhere, last=last)
            if not isinstance(answer, PlexyPayError):
                reader.was_told()
                return answer
            misfits += 1
            error: PlexyPayError = answer
        else:
            error = _failed(decoder.name, result, reader, sending)
            sending.distrust()
        asked += reader.counts()
        if asked >= reader.max_attempts:
            raise record.final(record.last(error))
        await reader.pause(error)


def _answered(
    decoder: Decoder[A],
    answer: WireResponse,
    misfit: Callable[[A], str | None],
    unread: Callable[[UnreadableResponseError, WireResponse], A | None] | None,
    sending: Sending,
    elsewhere: str | None,
    *,
    last: bool,
) -> A | PlexyPayError:
    """Return what an answer says, or the error of one that is of another request or was cut."""
    try:
        found = decoder.decode(answer)
    except UnreadableResponseError as unreadable:
        if unread is not None and (told := unread(unreadable, answer)) is not None:
            return told
        sending.drop_connection()
        if last and not unreadable.cut:
            raise
        return unreadable
    named = misfit(found)
    if named is None and elsewhere is not None:
        named = f"it is the one to an earlier request, {elsewhere}"
    if named is None:
        return found
    # The answer to this one may still come there, and would be taken for that to the next.
    sending.drop_connection()
    if last:
        return found
    return OutcomeUnknownError(f"{decoder.name}: the answer is of another request: {named}")


def _failed(
    name: str, result: WireResponse | PlexyPayError, reader: Reader, sending: Sending
) -> PlexyPayError:
    """Return the error after which the question is asked again.

    Raises:
        PlexyPayError: Asking again would not change it.
    """
    record = reader.record
    if isinstance(result, PlexyPayError):
        if isinstance(result, UnreadableResponseError):
            raise result
        if result.lasting:
            raise record.final(record.last(result))
        return result
    if result.is_success or not result.complete:
        cut = UnreadableResponseError(f"{name}: the answer was cut", status=result.status)
        cut.__cause__ = result.cause
        return with_evidence(cut, result)
    error = with_evidence(error_of(result, name, record.declaration.api.errors), result)
    if not is_passing(error, record.settings.retry):
        # It names no request, and a proxy may send it again as the answer to another.
        sending.drop_connection()
        if shows_work(error, record.settings.retry):
            reader.was_told()
        raise error
    return error
