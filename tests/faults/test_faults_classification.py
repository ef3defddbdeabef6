"""Which error an answer becomes: by its code in every spelling, else by its status."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RateLimitedError,
    Replay,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
)

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CREATED,
    FOUND,
    LINKS,
    ONCE,
    Answer,
    Cut,
    Raw,
    code,
    link,
    scripted,
)

pytestmark = pytest.mark.asyncio

ROUTE = f"GET {LINKS}/pl_1"
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


async def _error(answer: Any) -> PlexyPayError:
    async with scripted({ROUTE: answer}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    return caught.value


@pytest.mark.parametrize("spelt", [1, "1", "0001", " 1 "])
async def test_a_code_is_read_in_each_spelling(spelt: Any) -> None:
    error = await _error(code(spelt, 500))
    assert type(error) is ServiceUnavailableError
    assert (error.code, error.status, error.message) == (1, 500, "as scripted")
    assert (error.source, error.type) == ("paymentLinks", "apiError")


@pytest.mark.parametrize(
    ("number", "kind", "outcome"),
    [
        (1, ServiceUnavailableError, Outcome.REJECTED),
        (2, SomethingWentWrongError, Outcome.UNKNOWN),
        (3, InvalidRequestError, Outcome.REJECTED),
        (4, NotFoundError, Outcome.REJECTED),
        (5, UnprocessableError, Outcome.REJECTED),
    ],
)
@pytest.mark.parametrize("status", [400, 418, 500, 503])
async def test_the_code_decides_whatever_the_status(
    number: int, kind: type[APIError], outcome: Outcome, status: int
) -> None:
    error = await _error(code(number, status))
    assert type(error) is kind
    assert error.outcome is outcome


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (404, NotFoundError),
        (422, UnprocessableError),
        (500, SomethingWentWrongError),
        (501, SomethingWentWrongError),
        (502, SomethingWentWrongError),
        (504, SomethingWentWrongError),
        (599, SomethingWentWrongError),
        (409, APIError),
        (418, APIError),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", HTML, b"[1]", b"null", {"message": "as it is"}, {"code": None}], ids=repr
)
async def test_without_a_code_the_status_decides(status: int, kind: type[APIError], body: Any) -> None:
    error = await _error(Answer(status, body))
    assert type(error) is kind
    assert error.code is None
    assert error.outcome is (Outcome.UNKNOWN if kind is SomethingWentWrongError else Outcome.REJECTED)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 1, "message": "service unavailable"}, ServiceUnavailableError),
        ({"code": "0001"}, ServiceUnavailableError),
        ({"code": 503, "message": "service unavailable"}, SomethingWentWrongError),
        ({"message": "service unavailable"}, SomethingWentWrongError),
        ({"error": "service unavailable"}, SomethingWentWrongError),
        ({"message": {"en": "no"}}, SomethingWentWrongError),
        ([{"message": "service unavailable"}], SomethingWentWrongError),
        (HTML, SomethingWentWrongError),
        (b"", SomethingWentWrongError),
    ],
    ids=repr,
)
async def test_a_503_is_code_1_only_where_a_code_says_so(body: Any, kind: type[APIError]) -> None:
    assert type(await _error(Answer(503, body))) is kind


async def test_a_503_of_a_gateway_is_not_repeated_where_money_moves() -> None:
    async with scripted({"*": Answer(503, HTML)}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await plexy.request("POST", "/v1/payments/1/refund")
        assert script.count() == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (429, RateLimitedError)],
)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, None])
async def test_401_403_and_429_go_by_the_status(status: int, kind: type[APIError], number: Any) -> None:
    error = await _error(code(number, status))
    assert type(error) is kind
    assert error.outcome is Outcome.REJECTED
    assert error.code == number


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("number", [1, 2])
async def test_401_and_403_are_not_repeated_although_their_code_would_be(status: int, number: int) -> None:
    async with scripted({ROUTE: code(number, status)}) as (plexy, script):
        with pytest.raises((AuthenticationError, PermissionDeniedError)):
            await plexy.payment_links.retrieve("pl_1")
        assert script.count() == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 304])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirection_is_never_followed(status: int, method: str) -> None:
    async with scripted({"*": Answer(status, b"", {"Location": "/v1/elsewhere"})}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.request(method, "/v1/things")
        assert script.counts == {f"{method} /v1/things": 1}
    error: BaseException | None = caught.value
    if method == "POST":
        # A POST that was done may be answered so.
        assert type(error) is OutcomeUnknownError
        error = error.__cause__
    assert isinstance(error, APIError)
    assert error.status == status


@pytest.mark.parametrize("replay", [Replay.MONEY, Replay.CREATE])
async def test_a_time_out_of_a_proxy_proves_nothing(replay: Replay) -> None:
    async with scripted({"*": Answer(408, b"<html>timeout</html>")}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await plexy.request("POST", "/v1/things", replay=replay)
        assert script.count() == 1


@pytest.mark.parametrize("status", [400, 404, 422, 499])
async def test_an_unknown_code_is_kept_and_not_repeated(status: int) -> None:
    async with scripted({ROUTE: code(1153, status)}) as (plexy, script):
        with pytest.raises(APIError) as caught:
            await plexy.payment_links.retrieve("pl_1")
        assert caught.value.code == 1153
        assert script.count() == 1


@pytest.mark.parametrize("replay", [Replay.MONEY, Replay.CREATE])
async def test_an_unknown_code_with_a_500_may_have_been_done(replay: Replay) -> None:
    async with scripted({"*": code(1153, 500)}, retry=ONCE) as (plexy, script):
        with pytest.raises(OutcomeUnknownError):
            await plexy.request("POST", "/v1/things", replay=replay)
        assert script.count() == 1


@pytest.mark.parametrize("number", [True, 1.0, [], {}, "one", "", "1.0", "²", "9" * 400, -1], ids=repr)
async def test_a_code_that_is_none_is_as_good_as_absent(number: Any) -> None:
    error = await _error(code(number, 500))
    assert type(error) is SomethingWentWrongError


async def test_an_error_without_a_message_shows_how_its_body_begins() -> None:
    error = await _error(Answer(502, HTML * 100))
    assert "502 Bad Gateway" in str(error)
    assert len(str(error)) < 400


# ----------------------------------------------------------------------------------- whole and unreadable


UNREADABLE = {
    "html": Answer(200, HTML),
    "cut json": Answer(200, b'{"id": "pl_'),
    "empty": Answer(200, b""),
    "no content": Answer(204),
    "null": Answer(200, b"null"),
    "a list": Answer(200, []),
    "no id": Answer(200, {key: value for key, value in link().items() if key != "id"}),
    "amount is text": Answer(200, link(amount="a lot")),
    "amount is fractional": Answer(200, link(amount=1.5)),
    "amount is a boolean": Answer(200, link(amount=True)),
    "id is null": Answer(200, link(id=None)),
    "not utf-8": Answer(200, b'{"id": "\xff\xfe"}'),
}


PROVED = ("amount is text", "amount is fractional", "amount is a boolean")
"""Those that name the link, which proves that it was made."""


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_whole_answer_that_does_not_decode_is_never_asked_for_again(name: str) -> None:
    async with scripted({"*": UNREADABLE[name]}) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as read:
            await plexy.payment_links.retrieve("pl_1")
        assert script.counts == {ROUTE: 1}
    assert read.value.outcome is Outcome.DONE
    assert read.value.status in (200, 204)
    assert read.value.attempts == ()


@pytest.mark.parametrize("name", PROVED)
async def test_a_create_whose_answer_names_the_link_and_does_not_decode_is_done(name: str) -> None:
    async with scripted({"*": UNREADABLE[name]}) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as created:
            await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
        assert script.counts == {f"POST {LINKS}": 1}
    assert created.value.outcome is Outcome.DONE
    assert created.value.order_reference == "ORD-1"
    assert created.value.attempts == ()


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name not in PROVED])
async def test_a_create_whose_answer_proves_nothing_is_looked_up(name: str) -> None:
    find = f"GET {BY_REFERENCE}/ORD-1"
    async with scripted({f"POST {LINKS}": UNREADABLE[name], find: FOUND}) as (plexy, script):
        made = await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
        assert made.order_reference == "ORD-1"
        assert script.counts == {f"POST {LINKS}": 1, find: 1}


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name not in PROVED])
async def test_a_create_without_a_reference_whose_answer_proves_nothing_is_unknown(name: str) -> None:
    async with scripted({"*": UNREADABLE[name]}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as created:
            await plexy.payment_links.create(amount=2_200_000, currency="KZT")
        assert script.counts == {f"POST {LINKS}": 1}
    assert created.value.outcome is Outcome.UNKNOWN


async def test_an_unreadable_answer_keeps_the_errors_of_earlier_attempts() -> None:
    async with scripted({ROUTE: [CODE_1, Answer(200, HTML)]}) as (plexy, _):
        with pytest.raises(UnreadableResponseError) as caught:
            await plexy.payment_links.retrieve("pl_1")
    assert [type(earlier) for earlier in caught.value.attempts] == [ServiceUnavailableError]
    assert caught.value.operation == "payment_links.retrieve"
    assert "Bad Gateway" in caught.value.body


# -------------------------------------------------------------------------------------- answers cut or bad

_OK = b"HTTP/1.1 201 Created\r\n"
CUT_BODIES = {
    "content-length": Cut(CREATED),
    "chunk": Raw(_OK + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"id"'),
    "no last chunk": Raw(_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "bad gzip": Raw(_OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde"),
}


@pytest.mark.parametrize("name", CUT_BODIES)
async def test_a_201_cut_in_its_body_is_done_where_it_names_the_link(name: str) -> None:
    async with scripted({"*": CUT_BODIES[name]}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.create(amount=2_200_000, currency="KZT")
        assert script.count() == 1
    if name == "content-length":
        assert isinstance(caught.value, UnreadableResponseError)
        assert caught.value.outcome is Outcome.DONE
        assert caught.value.status == 201
    else:
        assert type(caught.value) is OutcomeUnknownError


GARBAGE = {
    "nonsense": b"nonsense\r\n\r\n",
    "binary": bytes(range(256)),
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
    "bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_leaves_the_outcome_unknown(name: str) -> None:
    async with scripted({"*": Raw(GARBAGE[name])}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await plexy.request("POST", "/v1/payments/1/refund")
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


# ------------------------------------------------------------------------------------------ assumed paths

OVERRIDDEN = {
    "payment_links.statistics": "/v1/payment-links/stats",
    "payment_links.retrieve_by_order_reference": "/v1/links/{order_reference}",
}


@pytest.mark.parametrize("name", OVERRIDDEN)
@pytest.mark.parametrize(
    "answer", [code(4, 404), Answer(200, b"<html>"), Raw(b"")], ids=["404", "html", "lost"]
)
async def test_the_error_of_an_assumed_path_says_how_to_override_it(name: str, answer: Any) -> None:
    def call(plexy: Any) -> Any:
        if name.endswith("statistics"):
            return plexy.payment_links.statistics()
        return plexy.payment_links.retrieve_by_order_reference("ORD-1")

    async with scripted({"*": answer}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as assumed:
            await call(plexy)
        with pytest.raises(PlexyPayError) as known:
            await call(plexy.with_options(paths=OVERRIDDEN))
    notes = getattr(assumed.value, "__notes__", [])
    assert len(notes) == 1
    assert f'paths={{"{name}"' in notes[0]
    assert getattr(known.value, "__notes__", []) == []


async def test_the_error_of_a_published_path_carries_no_note() -> None:
    notes: list[str] = getattr(await _error(code(4, 404)), "__notes__", [])
    assert not [note for note in notes if "assumed" in note or "paths=" in note]
