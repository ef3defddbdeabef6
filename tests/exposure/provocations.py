"""Every way in which the library raises, each with secrets near at hand.

A provocation is a call on a client of either facade. Its server answers from a script, and sends the API key
and a card's number back wherever an answer has text.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from plexypay_async import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OrderReferenceConflictError,
    OutageError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    RetryPolicy,
    ServiceUnavailableError,
    SomethingWentWrongError,
    UnprocessableError,
    UnreadableResponseError,
    WebhookAuthenticationError,
    WebhookInProgressError,
    WebhookNotMarkedError,
    WebhookPayloadError,
)
from plexypay_async._core.retry_budget import MANY
from plexypay_async._privacy.secret import Secret
from plexypay_async.bulk.journal import Journal
from plexypay_async.cards import Card, EncryptedCard, StoredCard, encrypt_card, encrypt_cvv
from plexypay_async.pay.direct_payments import Address, BrowserDetails, CustomerDetails, OrderDetails
from plexypay_async.webhooks import WebhookReceiver
from plexypay_async.webhooks.seen import SeenWebhooks
from tests.faults.scripted import (
    BY_REFERENCE,
    CREATED,
    DROP,
    FOUND,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SILENCE,
    Answer,
    Cut,
    Parts,
    Raw,
    Script,
    Seen,
    Server,
    Trickle,
    link,
    page,
)

__all__ = ["API_KEY", "BULK", "CALLS", "NUMBER", "SECRETS", "Provocation", "answers", "scripted_apart"]

API_KEY = "pr_5ecre7c0ffee5ecre7c0ffee5ecre7c0"
TOKEN = "whtok-5ecre7-9f8e7d6c5b4a39281706"
NUMBER = "4918914107195005"
CVV = "9173"
SECRETS = (API_KEY, TOKEN, NUMBER, CVV)

QUICK = RetryPolicy(max_attempts=2, base=0.001, cap=0.002)


@attrs.frozen
class Provocation:
    """A call that fails."""

    name: str
    call: Callable[[Any], Any]
    """The call on a client; what it returns is awaited, or read to its end."""
    error: type[BaseException] | None = None
    """What it raises, where that is certain."""
    routes: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Options of the client."""
    listening: bool = True


# --------------------------------------------------------------------------------------------- answers


def _echo(status: int, **fields: Any) -> Callable[[Seen], Answer]:
    """An answer that says the key and a card's number in each of its texts."""

    def answer(seen: Seen) -> Answer:
        said = f"said {seen.headers['authorization']} and {NUMBER}"
        body = {"message": said, "source": said, "type": said, "error": {"inner": said}, **fields}
        return Answer(status, body)

    return answer


def _said(make: Callable[[str], Any]) -> Callable[[Seen], Any]:
    return lambda seen: make(f"{seen.headers['authorization']} {NUMBER}")


def answers() -> dict[str, tuple[Any, type[BaseException] | None]]:
    """Return what a server may answer to any call, with the error that a read makes of it."""
    return {
        "401": (_echo(401), AuthenticationError),
        "403": (_echo(403), PermissionDeniedError),
        "429": (_echo(429), RateLimitedError),
        "302": (_echo(302), APIError),
        "code 1": (_echo(503, code=1), ServiceUnavailableError),
        "code 2": (_echo(500, code=2), SomethingWentWrongError),
        "code 3": (_echo(400, code=3), InvalidRequestError),
        "code 4": (_echo(404, code=4), NotFoundError),
        "code 5": (_echo(422, code=5), UnprocessableError),
        "500 page": (_said(lambda said: Answer(500, f"<html>{said}</html>".encode())), None),
        "200 page": (
            _said(lambda said: Answer(200, f"<html>{said}</html>".encode())),
            UnreadableResponseError,
        ),
        "200 of another shape": (
            _said(lambda said: Answer(200, {"id": {"deep": said}})),
            UnreadableResponseError,
        ),
        "refused": (_echo(200, success=False, code="51"), None),
        "cut": (_said(lambda said: Cut(Answer(201, {"id": said, "more": "x" * 100}))), None),
        "garbage": (_said(lambda said: Raw(f"nonsense {said}\r\n\r\n".encode())), OutcomeUnknownError),
        "a wrong length": (
            _said(lambda said: Raw(f"HTTP/1.1 200 OK\r\nContent-Length: {said}\r\n\r\n{{}}".encode())),
            OutcomeUnknownError,
        ),
        "closed": (DROP, OutcomeUnknownError),
        "reset": (RESET, OutcomeUnknownError),
        "silence": (SILENCE, None),
        "trickle": (Trickle(CREATED), None),
    }


# ----------------------------------------------------------------------------------------------- calls

BROWSER = BrowserDetails(
    accept_header="*/*",
    language="ru",
    color_depth=24,
    screen_height=1080,
    screen_width=1920,
    time_zone=-300,
    user_agent="Mozilla/5.0",
)
DIRECT: dict[str, Any] = {
    "transaction_type": "sale",
    "browser_details": BROWSER,
    "order_details": OrderDetails(amount=100, currency="KZT", order_reference="order-1"),
    "terminal_id": "3c9d5b0e-1f51-4d8e-9a53-8a4f6a0a6a55",
    "customer_details": CustomerDetails(
        billing_address=Address(
            first_name="John",
            last_name="Doe",
            address_line1="Abay 1",
            address_line2="",
            postal_code="050000",
            phone="+77010000000",
            country="KZ",
        )
    ),
    "three_ds_notification_url": "https://shop.example/3ds",
    "extra": {"storeId": "3c9d5b0e-1f51-4d8e-9a53-8a4f6a0a6a55"},
}
ENCRYPTED = EncryptedCard(
    encrypted_card_number="AAAA",
    encrypted_expiry_month="BBBB",
    encrypted_expiry_year="CCCC",
    encrypted_cvv="DDDD",
    encrypted_cardholder_name="EEEE",
)
CARD_IN_JSON = {"cardData": {"number": NUMBER, "cvv": CVV}}


def _rows(count: int = 3) -> list[CreatePaymentLink]:
    return [
        CreatePaymentLink(amount=1 + number, currency="KZT", order_reference=f"order-{number}")
        for number in range(count)
    ]


CALLS: dict[str, Callable[[Any], Any]] = {
    "retrieve": lambda plexy: plexy.payment_links.retrieve("pl_1"),
    "list": lambda plexy: plexy.payment_links.list().first_page(),
    "cancel": lambda plexy: plexy.payment_links.cancel("pl_1"),
    "create": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT", order_reference="order-1"),
    "refund": lambda plexy: plexy.payments.refund("t-1"),
    "authorize": lambda plexy: plexy.wallet.authorize(amount=1, currency="KZT", order_reference="order-1"),
    "direct payment": lambda plexy: plexy.direct_payments.create(card_data=ENCRYPTED, **DIRECT),
    "3-D Secure": lambda plexy: plexy.direct_payments.continue_3ds(
        cres=f"{NUMBER} {CVV}", transaction_id="t-1"
    ),
    "request": lambda plexy: plexy.request(
        "POST", "/v1/anything", json=CARD_IN_JSON, headers={"X-Of": TOKEN}
    ),
    "wait": lambda plexy: plexy.transactions.wait("t-1", timeout=0.05),
}
BULK: dict[str, Callable[..., Any]] = {
    "create_many": lambda plexy, folder: plexy.payment_links.create_many(_rows(), timeout=0.1),
    "create_many in order": lambda plexy, folder: plexy.payment_links.create_many(
        _rows(), timeout=0.1, ordered=True
    ),
    "create_many with a journal": lambda plexy, folder: plexy.payment_links.create_many(
        _rows(), timeout=0.1, journal=folder / "rows.journal"
    ),
}


class OwnError(Exception):
    """The caller's own."""


class OwnStop(BaseException):
    """The caller's own, which nobody catches."""


def _stopping() -> str:
    raise OwnStop("no key any more")


def _raising() -> str:
    raise OwnError("no key today")


def _failing_rows() -> Iterator[CreatePaymentLink]:
    yield from _rows()
    raise OwnError("no more rows")


def _in_use(plexy: Any, folder: Path) -> Any:
    journal = Journal(folder / "in-use.journal")
    journal.hold()
    return plexy.payment_links.create_many(_rows(), journal=journal)


def _no_journal(plexy: Any, folder: Path) -> Any:
    (folder / "no.journal").write_text("not a journal at all" * 100)
    return plexy.payment_links.create_many(_rows(), journal=folder / "no.journal")


def _of_another_server(plexy: Any, folder: Path) -> Any:
    journal = Journal(folder / "other.journal")
    journal.open()
    journal.belongs_to("https://elsewhere.example", Secret(API_KEY[::-1]))
    journal.close()
    return plexy.payment_links.create_many(_rows(), journal=folder / "other.journal")


def _key_that(function: Callable[[], Any]) -> dict[str, Any]:
    return {"api_key": function}


def _claimed(folder: Path) -> None:
    seen = SeenWebhooks(folder / "seen.db")
    with seen.handling("transaction.charged:t-1"), seen.handling("transaction.charged:t-1"):
        pass


def _not_marked(folder: Path) -> None:
    seen = SeenWebhooks(folder / "removed.db")
    with seen.handling("transaction.charged:t-1"):
        seen.path.unlink()


def _delivered(token: str, body: bytes) -> None:
    receiver = WebhookReceiver([TOKEN, "another-token-of-some-length-0123"])
    receiver.receive({"Authorization": f"Bearer {token}", "Cookie": API_KEY}, body)


def _in_an_outage(plexy: Any) -> Any:
    """Make a call on a client that knows that nothing works, and has just probed it."""
    budget = plexy._execution.budget
    for _ in range(MANY):
        budget.note_failure(ServiceUnavailableError("down"))
    budget.may_probe()
    return CALLS["create"](plexy)


def provocations(folder: Path) -> list[Provocation]:
    """Return every provocation that is not an answer to an ordinary call."""
    retrieve, create = CALLS["retrieve"], CALLS["create"]
    read_as = answers()
    every = [
        Provocation(f"answered {name}", retrieve, expected, {"*": step})
        for name, (step, expected) in read_as.items()
        if expected is not None
    ]
    every += [
        Provocation("no connection", retrieve, ConnectError, listening=False, options={"retry": ONCE}),
        Provocation(
            "a deadline",
            retrieve,
            DeadlineExceededError,
            {"*": SILENCE},
            {"timeout": 0.05, "read_timeout": 5.0},
        ),
        Provocation("an outage", _in_an_outage, OutageError, options={"retry": RetryPolicy(outage="fail")}),
        Provocation("a deadline in the body", retrieve, None, {"*": Parts(FOUND, 4, 0.02, 2)}),
        Provocation(
            "a conflict",
            create,
            OrderReferenceConflictError,
            {f"POST {LINKS}": DROP, f"GET {BY_REFERENCE}/*": Answer(200, link("order-1", amount=7))},
            {"timeout": 30.0},
        ),
        Provocation(
            "a look-up that is disproved",
            create,
            None,
            {f"POST {LINKS}": DROP, f"GET {BY_REFERENCE}/*": NOT_FOUND, f"GET {LINKS}": page(link("other"))},
        ),
        Provocation(
            "a refusal in a success",
            CALLS["refund"],
            RefusedError,
            {"*": _echo(200, success=False, responseCode="51")},
        ),
        Provocation(
            "a declined card",
            CALLS["direct payment"],
            RefusedError,
            {"*": _echo(200, success=False, code="51", id="t-1", cardholderName=NUMBER)},
        ),
        Provocation("a key that is none", retrieve, None, {"*": FOUND}, _key_that(lambda: f"{API_KEY}\n")),
        Provocation("a key function that raises", retrieve, None, {"*": FOUND}, _key_that(_raising)),
        *[
            Provocation(f"a key function that stops all: {name}", call, OwnStop, {}, _key_that(_stopping))
            for name, call in CALLS.items()
        ],
        Provocation(
            "a key function that raises in a job",
            lambda plexy: plexy.payment_links.create_many(_rows()),
            None,
            {"*": CREATED},
            _key_that(_raising),
        ),
        Provocation(
            "a source that raises",
            lambda plexy: plexy.payment_links.create_many(_failing_rows()),
            OwnError,
            {"*": CREATED},
        ),
        Provocation("a journal in use", lambda plexy: _in_use(plexy, folder), ConfigurationError),
        Provocation("no journal", lambda plexy: _no_journal(plexy, folder), ConfigurationError),
        Provocation(
            "a journal of another server",
            lambda plexy: _of_another_server(plexy, folder),
            ConfigurationError,
            {"*": NOT_FOUND},
        ),
        *_wrong_arguments(),
        *_wrong_configuration(),
        *_webhooks(folder),
    ]
    return every


def _wrong_arguments() -> list[Provocation]:
    half = "\ud800"
    direct: dict[str, Callable[[Any], Any]] = {
        "a card in plain": lambda plexy: plexy.direct_payments.create(
            card_data=Card(NUMBER, 12, 2031, CVV), **DIRECT
        ),
        "a card as a mapping": lambda plexy: plexy.direct_payments.create(
            card_data={"number": NUMBER, "cvv": CVV}, **DIRECT
        ),
        "a card without a terminal": lambda plexy: plexy.direct_payments.create(
            **{**DIRECT, "terminal_id": None, "extra": CARD_IN_JSON}, card_data=ENCRYPTED
        ),
        "a stored card's code in plain": lambda plexy: plexy.direct_payments.create(
            card_data=StoredCard("tok-1", CVV), **DIRECT
        ),
        "a code that is none": lambda plexy: plexy.direct_payments.create(
            card_data=StoredCard("tok-1", encrypt_cvv(f"{CVV}{CVV}")), **DIRECT
        ),
        "a card as text": lambda plexy: plexy.direct_payments.create(card_data=NUMBER, **DIRECT),
        "a wrong field beside the card": lambda plexy: plexy.direct_payments.create(
            **{**DIRECT, "transaction_type": 5, "extra": CARD_IN_JSON}, card_data=ENCRYPTED
        ),
        "extra fields that are no JSON": lambda plexy: plexy.direct_payments.create(
            **{**DIRECT, "extra": {**CARD_IN_JSON, "bad": object()}}, card_data=ENCRYPTED
        ),
        "extra that is no mapping": lambda plexy: plexy.payouts.create(extra=[NUMBER, CVV]),
        "a wrong keyword": lambda plexy: plexy.direct_payments.create(
            card_number=NUMBER, cvv=CVV, card_data=ENCRYPTED, **DIRECT
        ),
        "an amount that is a number of a card": lambda plexy: plexy.payments.refund(
            "t-1", amount=float(NUMBER)
        ),
        "a reference that is a card": lambda plexy: plexy.payment_links.create(
            amount=NUMBER, currency="KZT", description=CVV
        ),
        "a currency that is a card": lambda plexy: plexy.payment_links.create(amount=1, currency=NUMBER),
        "metadata that is no JSON": lambda plexy: plexy.payment_links.create(
            amount=1, currency="KZT", metadata={"card": NUMBER, "bad": object()}
        ),
        "an id that is no text": lambda plexy: plexy.payments.refund(None, description=NUMBER),
        "request: no JSON": lambda plexy: plexy.request(
            "POST", "/v1/anything", json={**CARD_IN_JSON, "bad": object()}
        ),
        "request: half a character": lambda plexy: plexy.request(
            "POST", "/v1/anything", json={**CARD_IN_JSON, "bad": half}
        ),
        "request: a wrong header": lambda plexy: plexy.request(
            "POST", "/v1/anything", json=CARD_IN_JSON, headers={"X-Key": f"{API_KEY}\n"}
        ),
        "request: the key as a header": lambda plexy: plexy.request(
            "GET", "/v1/anything", headers={"Authorization": API_KEY}
        ),
        "request: a wrong path": lambda plexy: plexy.request("POST", f"//{NUMBER}", json=CARD_IN_JSON),
        "request: a wrong query": lambda plexy: plexy.request(
            "GET", "/v1/anything", params={"card": [NUMBER], "cvv": CVV}
        ),
        "request: a wrong class": lambda plexy: plexy.request(
            "POST", "/v1/anything", json=CARD_IN_JSON, replay="money"
        ),
    }
    return [Provocation(name, call) for name, call in direct.items()]


def _built_with(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda plexy: type(plexy)(**options)


def _derived_with(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda plexy: plexy.with_options(**options)


def _alone(call: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda _: call()


def _wrong_configuration() -> list[Provocation]:
    wrong: dict[str, dict[str, Any]] = {
        "a key with a line break": {"api_key": f"{API_KEY}\n"},
        "a key of bytes": {"api_key": API_KEY.encode()},
        "a key in a list": {"api_key": [API_KEY]},
        "a wrong time-out": {"api_key": API_KEY, "timeout": "soon"},
        "a negative read time-out": {"api_key": API_KEY, "read_timeout": -1},
        "a wrong policy": {"api_key": API_KEY, "retry": 3},
        "wrong paths": {"api_key": API_KEY, "paths": {"no.such": "/v1"}},
    }
    base: dict[str, dict[str, Any]] = {
        "a password in the address": {"api_key": API_KEY, "base_url": f"https://me:{API_KEY}@host.example"},
        "the key in the query": {"api_key": API_KEY, "base_url": f"https://host.example/?key={API_KEY}"},
        "plain http": {"api_key": API_KEY, "base_url": "http://host.example"},
        "too few connections": {"api_key": API_KEY, "max_connections": 0},
    }
    built = [
        Provocation(f"client: {name}", _built_with(given), ConfigurationError)
        for name, given in {**wrong, **base}.items()
    ]
    derived = [
        Provocation(
            f"with_options: {name}",
            _derived_with(given),
            ConfigurationError,
        )
        for name, given in wrong.items()
    ]
    cards: dict[str, Callable[[], Any]] = {
        "a month": lambda: Card(NUMBER, 13, 2031, CVV),
        "a code": lambda: Card(NUMBER, 12, 2031, CVV * 2),
        "a number": lambda: Card(NUMBER * 2, 12, 2031, CVV),
        "a token": lambda: StoredCard(NUMBER),
        "a public key": lambda: encrypt_card(Card(NUMBER, 12, 2031, CVV), "no key"),
        "a padding": lambda: encrypt_card(Card(NUMBER, 12, 2031, CVV), padding=_refusing),
    }
    return [
        *built,
        *derived,
        *[Provocation(f"card: {name}", _alone(make), ConfigurationError) for name, make in cards.items()],
    ]


def _refusing(field: bytes) -> bytes:
    raise OwnError(f"cannot encrypt {field!r}")


def _webhooks(folder: Path) -> list[Provocation]:
    event = b'{"name":"transaction.charged","data":{"id":"t-1","amount":1,"last4":"%s"}}'
    bodies = {
        "no JSON": f"{{{NUMBER}".encode(),
        "no object": f"[{NUMBER!r}]".replace("'", '"').encode(),
        "no name": f'{{"card":"{NUMBER}"}}'.encode(),
        "an id that is no text": f'{{"name":"transaction.charged","data":{{"id":["{NUMBER}"]}}}}'.encode(),
        "a field twice": f'{{"name":"transaction.charged","name":"x","cvv":"{CVV}"}}'.encode(),
        "too deep": b'{"card":"%s","a":%s1%s}' % (NUMBER.encode(), b'{"a":' * 50, b"}" * 50),
    }
    return [
        *[
            Provocation(f"webhook: {name}", _alone(partial(_delivered, TOKEN, body)), WebhookPayloadError)
            for name, body in bodies.items()
        ],
        Provocation(
            "webhook: another token",
            lambda _: _delivered("not-it", event % NUMBER.encode()),
            WebhookAuthenticationError,
        ),
        Provocation(
            "webhook: another token of the same kind",
            lambda _: _delivered(f"{TOKEN}x", event % NUMBER.encode()),
            WebhookAuthenticationError,
        ),
        Provocation(
            "webhook: the scheme alone",
            lambda _: _delivered("", event % NUMBER.encode()),
            WebhookAuthenticationError,
        ),
        Provocation("webhook: under way", lambda _: _claimed(folder), WebhookInProgressError),
        Provocation("webhook: not marked", lambda _: _not_marked(folder), WebhookNotMarkedError),
        Provocation("webhook: text as body", lambda _: _delivered(TOKEN, NUMBER), ConfigurationError),  # type: ignore[arg-type]
        Provocation(
            "webhook: two headers",
            lambda _: WebhookReceiver(TOKEN).receive(
                {"Authorization": TOKEN, "authorization": TOKEN}, event % NUMBER.encode()
            ),
            WebhookAuthenticationError,
        ),
        Provocation("webhook: bytes as token", lambda _: WebhookReceiver(TOKEN.encode()), ConfigurationError),  # type: ignore[arg-type]
        Provocation(
            "webhook: the scheme in the token",
            lambda _: WebhookReceiver(f"Bearer {TOKEN}"),
            ConfigurationError,
        ),
        Provocation(
            "webhook: a token with a line break", lambda _: WebhookReceiver(f"{TOKEN}\n"), ConfigurationError
        ),
        Provocation(
            "webhook: a `seen` that raises",
            lambda _: WebhookReceiver(TOKEN).receive(
                {"Authorization": TOKEN}, event % NUMBER.encode(), seen=lambda _: bool(_raising())
            ),
            OwnError,
        ),
    ]


# ------------------------------------------------------------------------------------------ the server


@contextmanager
def scripted_apart(routes: Mapping[str, Any], *, listening: bool = True) -> Iterator[str]:
    """Serve a script from a thread of its own; give its address."""
    ready: Future[tuple[str, asyncio.AbstractEventLoop]] = Future()
    ended = asyncio.Event()

    async def serve() -> None:
        server = Server(Script(routes))
        try:
            if listening:
                await server.listen()
            ready.set_result((server.url, asyncio.get_running_loop()))
            await ended.wait()
        finally:
            # What was taken last is served before, to be closed with the others; sockets close a turn later.
            await asyncio.sleep(0.01)
            await server.close()
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="script")
    thread.start()
    url, loop = ready.result(30)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
