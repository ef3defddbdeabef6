"""The call that performs an operation: its request is encoded here, and what reads its answer is chosen."""

from __future__ import annotations

from typing import Any, TypeVar

from .._privacy.hiding import without_own_frames
from .._wire.messages import WireRequest
from ..api.operation import Operation
from ..errors import ConfigurationError
from .admission import JobLimits
from .call import Call
from .execution import Execution
from .record import EarlierRun
from .telling_call import TellingCall

__all__ = ["call_of"]

R = TypeVar("R")


def call_of(
    execution: Execution,
    operation: Operation[..., R],
    request: Any,
    *,
    wire_request: WireRequest | None = None,
    job: JobLimits | None = None,
    earlier: EarlierRun | None = None,
) -> Call[R]:
    """Return the call that performs an operation; nothing is sent before it runs.

    Args:
        execution: What it shares with the client's other calls.
        operation: What to do.
        request: Its request.
        wire_request: The request as it goes out, where it is encoded already.
        job: The limits of the bulk job that it belongs to, if it does.
        earlier: What an earlier run of that job has done about it, if anything.
    """
    codec = execution.codecs.get(operation.name) or execution.codec(operation)
    if wire_request is None:
        try:
            wire_request = codec.encode(request)
        except ConfigurationError as error:
            # The encoder's frames hold the body, and with it a card's data.
            without_own_frames(error)
            raise error from None
    if codec.chosen is not None:
        codec = codec.of(request)
    # By position: names given to a class cost a dict for each call.
    kind: Any = Call if execution.told() is None else TellingCall
    made: Call[R] = kind(execution, codec, wire_request, operation, request, job, earlier)
    return made
