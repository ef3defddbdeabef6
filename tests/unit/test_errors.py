"""Errors: what each one reports, and that all of them survive a trip through a task queue."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import plexypay_async
from plexypay_async import (
    APIError,
    ConfigurationError,
    DeadlineExceededError,
    Outcome,
    PlexyPayError,
    ServiceUnavailableError,
    UnreadableResponseError,
    WebhookError,
)
from plexypay_async import errors as errors_module


def subclasses(cls: type[PlexyPayError]) -> Iterator[type[PlexyPayError]]:
    yield cls
    for inner in cls.__subclasses__():
        if inner.__module__ == errors_module.__name__:
            yield from subclasses(inner)


EVERY_CLASS = sorted(set(subclasses(PlexyPayError)), key=lambda cls: cls.__name__)
every_class = pytest.mark.parametrize("cls", EVERY_CLASS, ids=[cls.__name__ for cls in EVERY_CLASS])

OWN_FIELDS: dict[type[PlexyPayError], dict[str, Any]] = {
    APIError: {"status": 503, "code": 1, "source": "keys", "type": "apiError", "retry_after": 2.5},
    UnreadableResponseError: {"status": 200, "body": "<html>"},
}


def an_error(cls: type[PlexyPayError]) -> PlexyPayError:
    own: dict[str, Any] = {}
    for base, fields in OWN_FIELDS.items():
        own |= fields if issubclass(cls, base) else {}
    error = cls(
        "what happened",
        outcome=Outcome.UNKNOWN,
        operation="payment_links.create",
        attempts=[ServiceUnavailableError("busy", status=503, code=1)],
        order_reference="ЗАКАЗ-1",
        **own,
    )
    error.cursor = "p2-s100-0123456789ab"
    error.add_note("a note")
    return error


@every_class
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_everything(cls: type[PlexyPayError], protocol: int) -> None:
    error = an_error(cls)

    loaded = pickle.loads(pickle.dumps(error, protocol))

    assert type(loaded) is cls
    assert loaded.args == error.args
    assert (str(loaded), repr(loaded)) == (str(error), repr(error))
    assert loaded.outcome is Outcome.UNKNOWN
    assert loaded.operation == "payment_links.create"
    assert loaded.order_reference == "ЗАКАЗ-1"
    assert loaded.cursor == "p2-s100-0123456789ab"
    assert loaded.__notes__ == ["a note"]
    (earlier,) = loaded.attempts
    assert type(earlier) is ServiceUnavailableError
    assert (earlier.status, earlier.code, earlier.message) == (503, 1, "busy")
    for base, fields in OWN_FIELDS.items():
        if issubclass(cls, base):
            assert {name: getattr(loaded, name) for name in fields} == fields


@every_class
def test_copies_keep_everything(cls: type[PlexyPayError]) -> None:
    error = an_error(cls)

    for copied in (copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is cls
        assert str(copied) == str(error)
        assert copied.outcome is error.outcome
        assert len(copied.attempts) == 1


@every_class
def test_the_message_is_shown(cls: type[PlexyPayError]) -> None:
    error = an_error(cls)

    assert str(error).endswith("what happened")
    assert repr(error) == f"{cls.__name__}({str(error)!r})"


@every_class
def test_an_error_made_of_its_text_alone_has_the_same_text(cls: type[PlexyPayError]) -> None:
    # As task queues make it whose results are JSON.
    error = an_error(cls)

    assert str(cls(*error.args)) == str(error)


@every_class
def test_only_the_message_is_required(cls: type[PlexyPayError]) -> None:
    error = cls("what happened")

    assert error.outcome is cls.default_outcome
    assert (error.operation, error.attempts, error.order_reference, error.cursor) == (None, (), None, None)


def test_an_error_without_a_message_is_shown_by_its_class() -> None:
    error = DeadlineExceededError("x")
    error.args = ()

    assert str(error) == "DeadlineExceededError"


@every_class
def test_every_error_is_public(cls: type[PlexyPayError]) -> None:
    assert cls.__name__ in errors_module.__all__
    assert getattr(plexypay_async, cls.__name__) is cls


@every_class
def test_docstrings(cls: type[PlexyPayError]) -> None:
    assert cls.__doc__
    assert cls.__doc__.strip().splitlines()[0].endswith((".", '"'))


def test_outcomes() -> None:
    assert {cls.__name__: cls.default_outcome for cls in EVERY_CLASS} == {
        "PlexyPayError": None,
        "ConfigurationError": Outcome.NOT_SENT,
        "ConnectError": Outcome.NOT_SENT,
        "OutageError": Outcome.NOT_SENT,
        "DeadlineExceededError": Outcome.UNKNOWN,
        "OutcomeUnknownError": Outcome.UNKNOWN,
        "UnreadableResponseError": Outcome.DONE,
        "OrderReferenceConflictError": Outcome.REJECTED,
        "RefusedError": Outcome.REJECTED,
        "APIError": Outcome.REJECTED,
        "ServiceUnavailableError": Outcome.REJECTED,
        "SomethingWentWrongError": Outcome.UNKNOWN,
        "InvalidRequestError": Outcome.REJECTED,
        "NotFoundError": Outcome.REJECTED,
        "UnprocessableError": Outcome.REJECTED,
        "AuthenticationError": Outcome.REJECTED,
        "PermissionDeniedError": Outcome.REJECTED,
        "RateLimitedError": Outcome.REJECTED,
        "IdempotencyError": Outcome.UNKNOWN,
        "WebhookError": None,
        "WebhookAuthenticationError": None,
        "WebhookInProgressError": None,
        "WebhookNotMarkedError": Outcome.DONE,
        "WebhookPayloadError": None,
    }


def test_the_builtin_bases() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(DeadlineExceededError, TimeoutError)
    assert [cls.__name__ for cls in EVERY_CLASS if issubclass(cls, OSError)] == ["DeadlineExceededError"]


def test_codes_of_the_classes() -> None:
    codes = {cls.api_code: cls.__name__ for cls in EVERY_CLASS if issubclass(cls, APIError) and cls.api_code}

    assert codes == {
        1: "ServiceUnavailableError",
        2: "SomethingWentWrongError",
        3: "InvalidRequestError",
        4: "NotFoundError",
        5: "UnprocessableError",
    }


def test_an_api_error_shows_status_and_code() -> None:
    assert str(APIError("moved", status=302)) == "HTTP 302: moved"
    assert str(ServiceUnavailableError("busy", status=503, code=1)) == "HTTP 503, code 1: busy"


def test_webhook_errors_are_of_their_own_kind() -> None:
    assert [cls.__name__ for cls in EVERY_CLASS if issubclass(cls, WebhookError)] == [
        "WebhookAuthenticationError",
        "WebhookError",
        "WebhookInProgressError",
        "WebhookNotMarkedError",
        "WebhookPayloadError",
    ]


def test_a_subclass_of_the_callers_pickles_too() -> None:
    error = pickle.loads(pickle.dumps(OverdrawnError("no funds", status=422, code=5)))

    assert type(error) is OverdrawnError
    assert (error.status, error.code, str(error)) == (422, 5, "HTTP 422, code 5: no funds")


class OverdrawnError(plexypay_async.UnprocessableError):
    """An error class of a user of the library."""


@every_class
def test_an_error_has_no_more_of_its_own_than_it_was_told(cls: type[PlexyPayError]) -> None:
    bare, full = cls("what happened"), an_error(cls)
    common = {"outcome", "operation", "attempts", "order_reference", "idempotency_key", "cursor"}
    assert vars(bare).keys().isdisjoint(common)
    assert bare.outcome is cls.default_outcome
    assert (bare.operation, bare.attempts, bare.order_reference) == (None, (), None)
    assert (full.outcome, full.operation) == (Outcome.UNKNOWN, "payment_links.create")
    assert pickle.loads(pickle.dumps(bare)).outcome is cls.default_outcome


def test_a_subclass_of_the_callers_has_its_own_outcome() -> None:
    class Overdue(ConfigurationError):
        default_outcome = Outcome.REJECTED

    assert Overdue("late").outcome is Outcome.REJECTED
    assert Overdue("late", outcome=Outcome.DONE).outcome is Outcome.DONE
    assert ConfigurationError("wrong").outcome is Outcome.NOT_SENT
    assert vars(ConfigurationError("wrong")) == {}
