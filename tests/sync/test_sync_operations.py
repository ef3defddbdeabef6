"""Payment links through `PlexyPay`: the same operations, answers and errors as through `AsyncPlexyPay`."""

from __future__ import annotations

import asyncio
import inspect
import pydoc
import re
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import plexypay_async
import plexypay_sync
from plexypay_async import AsyncPlexyCheckout, AsyncPlexyGate, AsyncPlexyPay
from plexypay_async.api.index import every_group
from plexypay_async.api.operation import Bulk, Declaration, Wait
from plexypay_async.pay.description import PAY
from plexypay_sync import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PlexyCheckout,
    PlexyGate,
    PlexyPay,
    PlexyPayError,
    RetryPolicy,
    UnprocessableError,
)
from plexypay_sync.portal import portal

from .conftest import QUICK
from .servers import SilentServer, ThreadedSandbox

LATER = datetime(2099, 1, 1, tzinfo=UTC)


def both(
    sandbox: ThreadedSandbox,
    call: Callable[[Any], Any],
    *,
    before: Callable[[], object] = lambda: None,
    api_key: str | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Make one call through each facade; return what each gave or raised."""
    options = {"base_url": sandbox.base_url, "timeout": 10, "retry": QUICK, **options}
    key = api_key or sandbox.api_key

    async def through_async() -> Any:
        async with AsyncPlexyPay(key, **options) as plexy:
            try:
                return await call(plexy)
            except PlexyPayError as error:
                return error

    before()
    with PlexyPay(key, **options) as plexy:
        try:
            through_sync = call(plexy)
        except PlexyPayError as error:
            through_sync = error
    before()
    return through_sync, asyncio.run(through_async())


def shown(error: PlexyPayError) -> dict[str, Any]:
    """Return everything that an error says."""
    return {
        "type": type(error),
        "text": str(error),
        "notes": getattr(error, "__notes__", []),
        "cause": repr(error.__cause__),
        **{key: repr(value) for key, value in vars(error).items() if key != "__notes__"},
    }


def test_a_link_through_its_life(plexy: PlexyPay) -> None:
    links = plexy.payment_links
    made = links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1", description="Чай")
    assert (made.amount, made.order_reference, made.status) == (2_200_000, "ORD-1", "active")
    assert links.retrieve(made.id) == made
    assert links.retrieve_by_order_reference("ORD-1") == made
    assert links.update_expiration(made.id, expires_at=LATER).expires_at == LATER
    links.cancel(made.id)
    assert links.retrieve(made.id).status == "cancelled"
    assert [item.id for item in links.list(status="cancelled")] == [made.id]
    assert isinstance(links.statistics().raw, dict)


GIVING: list[Callable[[Any], Any]] = [
    lambda plexy: plexy.payment_links.create(amount=5, currency="USD"),
    lambda plexy: plexy.payment_links.retrieve_by_order_reference("A"),
    lambda plexy: plexy.payment_links.list().first_page(),
    lambda plexy: plexy.payment_links.statistics(),
    lambda plexy: plexy.request("GET", "/v1/payment-links", params={"size": 1}),
]


@pytest.mark.parametrize(
    "call", GIVING, ids=["create", "retrieve_by_order_reference", "first_page", "statistics", "request"]
)
def test_both_facades_give_the_same(
    sandbox: ThreadedSandbox, plexy: PlexyPay, call: Callable[[Any], Any]
) -> None:
    plexy.payment_links.create(amount=1, currency="KZT", order_reference="A")
    through_sync, through_async = both(sandbox, call)
    assert type(through_sync) is type(through_async)
    volatile = ("id", "url", "created_at", "updated_at")
    if isinstance(through_sync, plexypay_sync.PaymentLink) and through_sync.order_reference is None:
        seen, expected = (
            {name: getattr(link, name) for name in ("amount", "currency", "status", "metadata")}
            for link in (through_sync, through_async)
        )
        assert seen == expected
        assert all(getattr(through_sync, name) for name in volatile)
    else:
        assert through_sync == through_async


RAISING: list[tuple[type[PlexyPayError], Callable[[Any], Any], str | None]] = [
    (NotFoundError, lambda plexy: plexy.payment_links.retrieve("pl_none"), None),
    (NotFoundError, lambda plexy: plexy.payment_links.retrieve_by_order_reference("none"), None),
    (UnprocessableError, lambda plexy: plexy.payment_links.create(amount=1, currency="QQQ"), "code=5"),
    (InvalidRequestError, lambda plexy: plexy.request("GET", "/v1/payment-links?size=x"), None),
    (InvalidRequestError, lambda plexy: plexy.payment_links.list().first_page(), "code=3"),
    (plexypay_sync.ServiceUnavailableError, lambda plexy: plexy.payment_links.statistics(), "code=1"),
    (plexypay_sync.SomethingWentWrongError, lambda plexy: plexy.payment_links.statistics(), "code=2"),
    (plexypay_sync.PermissionDeniedError, lambda plexy: plexy.payment_links.statistics(), "status=403"),
    (plexypay_sync.RateLimitedError, lambda plexy: plexy.payment_links.statistics(), "status=429"),
    (OutcomeUnknownError, lambda plexy: plexy.payment_links.statistics(), "cut=before"),
    (
        OutcomeUnknownError,
        lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
        "cut=after,operation=payment_links.create",
    ),
    (
        plexypay_sync.UnreadableResponseError,
        lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
        "cut=body",
    ),
]


@pytest.mark.parametrize(("kind", "call", "fault"), RAISING)
def test_both_facades_raise_the_same(
    sandbox: ThreadedSandbox, kind: type[PlexyPayError], call: Callable[[Any], Any], fault: str | None
) -> None:
    def before() -> None:
        sandbox.reset()
        if fault is not None:
            sandbox.add_fault(fault)

    twice = RetryPolicy(max_attempts=2, base=0)
    through_sync, through_async = both(sandbox, call, before=before, retry=twice)
    assert type(through_sync) is kind
    seen, expected = shown(through_sync), shown(through_async)
    # The seconds differ, the requests' ids do, and the date in the headers may.
    for told in (seen, expected):
        told["text"] = re.sub(r", request id req_[0-9a-f]+", "", told["text"])
    for varying in ("elapsed", "headers", "request_id"):
        assert (seen.pop(varying, "None") == "None") == (expected.pop(varying, "None") == "None")
    if fault is not None:
        # The fault's number differs, and the time in what was made.
        assert seen.pop("attempts", None) is not None
        expected.pop("attempts")
        assert seen.pop("body", None) is None or "createdAt" in expected.pop("body")
    assert seen == expected


def test_a_wrong_key_and_a_refused_connection(sandbox: ThreadedSandbox) -> None:
    def ask(plexy: Any) -> Any:
        return plexy.payment_links.statistics()

    for error in both(sandbox, ask, api_key="wrong"):
        assert isinstance(error, AuthenticationError)
    nobody = "http://127.0.0.1:9"
    for error in both(sandbox, ask, base_url=nobody, retry=RetryPolicy(max_attempts=1)):
        assert isinstance(error, ConnectError)
        assert error.outcome is Outcome.NOT_SENT


def test_a_lost_answer_is_recovered(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    sandbox.add_fault("cut=after,times=1,operation=payment_links.create")
    link = plexy.payment_links.create(amount=7, currency="KZT", order_reference="LOST")
    assert link.order_reference == "LOST"
    assert sandbox.count("payment_links.create") == 1


def test_waiting_for_a_transaction(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    link = plexy.payment_links.create(amount=7, currency="KZT")

    def pay_once_asked() -> None:
        while not sandbox.count("transactions.retrieve_by_payment_link"):
            time.sleep(0.005)
        sandbox.on_loop(lambda running: running.pay(link.id))

    paying = threading.Thread(target=pay_once_asked, daemon=True)
    paying.start()
    transaction = plexy.transactions.wait(payment_link_id=link.id, interval=0.01, timeout=30)
    paying.join(30)
    assert transaction.is_paid
    assert plexy.transactions.retrieve(transaction.id) == transaction


@pytest.mark.parametrize("ending", ["deadline", "key"])
def test_a_wait_that_ends_early_leaves_nothing_on_the_loop(sandbox: ThreadedSandbox, ending: str) -> None:
    asked: list[int] = []

    def key() -> str:
        asked.append(1)
        if ending == "key" and len(asked) == 3:
            raise LookupError("no vault")
        return sandbox.api_key

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    with PlexyPay(key, base_url=sandbox.base_url, retry=QUICK) as plexy:
        before = portal.run(tasks)
        with pytest.raises(DeadlineExceededError if ending == "deadline" else ConfigurationError):
            plexy.transactions.wait(
                payment_link_id="pl_none", interval=0.01, timeout=0.3 if ending == "deadline" else 30
            )
        assert portal.run(tasks) == before
        count = len(asked)
        plexy.payment_links.statistics()
        assert len(asked) == count + 1


def test_the_deadline_bounds_the_whole_call(silent: SilentServer) -> None:
    with PlexyPay("key", base_url=silent.base_url, timeout=0.2) as plexy:
        begun = time.monotonic()
        with pytest.raises(DeadlineExceededError) as caught:
            plexy.payment_links.create(amount=1, currency="KZT")
        assert 0.2 <= time.monotonic() - begun < 15
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert silent.gone.acquire(timeout=30)


def test_arguments_are_checked_before_anything_is_sent(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: plexy.payment_links.create(amount=0, currency="KZT"),
        lambda: plexy.payment_links.retrieve(""),
        lambda: plexy.payment_links.list(size=0),
        lambda: plexy.payment_links.list().prefetch(0),
        lambda: plexy.payment_links.list().resume("nonsense"),
        lambda: plexy.request("BREW", "/v1/tea"),
        lambda: plexy.with_options(timeout=-1),
    ]
    for call in wrong:
        with pytest.raises(ConfigurationError):
            call()
    with pytest.raises(TypeError):
        plexy.payment_links.create(2)  # type: ignore[call-arg]
    assert sandbox.count() == 0


def test_with_options_shares_and_does_not_close(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    wrong = plexy.with_options(api_key="wrong", timeout=3)
    with pytest.raises(AuthenticationError), wrong:
        wrong.payment_links.statistics()
    assert plexy.with_options(timeout=5).payment_links.statistics().raw is not None
    sandbox.add_fault("hang=true")
    with pytest.raises(DeadlineExceededError):
        plexy.with_options(timeout=0.05).payment_links.statistics()
    plexy.close()
    with pytest.raises(ConfigurationError, match="closed"):
        plexy.with_options(timeout=5).payment_links.statistics()


def test_request_reaches_what_the_library_does_not_know(plexy: PlexyPay) -> None:
    made = plexy.request("POST", "/v1/payment-links", json={"amount": 9, "currency": "KZT"})
    assert plexy.request("get", f"/v1/payment-links/{made['id']}")["amount"] == 9
    with pytest.raises(NotFoundError):
        plexy.request("GET", "/v1/anything")


def test_a_closed_client_says_so(sandbox: ThreadedSandbox) -> None:
    with PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
        pages = plexy.payment_links.list()
        plexy.payment_links.statistics()
    calls: list[Callable[[], object]] = [
        plexy.payment_links.statistics,
        pages.first_page,
        lambda: list(pages),
        lambda: plexy.request("GET", "/v1/payment-links"),
        lambda: list(plexy.payment_links.create_many([CreatePaymentLink(amount=1, currency="KZT")])),
        lambda: plexy.transactions.wait(payment_link_id="pl_1"),
        plexy.with_options(timeout=5).payment_links.statistics,
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match="closed"):
            call()
    plexy.close()
    assert sandbox.count() == 1


def test_a_client_closed_before_its_first_call_is_closed() -> None:
    plexy = PlexyPay("key", base_url="http://127.0.0.1:9")
    plexy.close()
    with pytest.raises(ConfigurationError, match="closed"):
        plexy.payment_links.statistics()


def test_an_exception_in_the_block_closes_the_client(sandbox: ThreadedSandbox) -> None:
    plexy = PlexyPay(sandbox.api_key, base_url=sandbox.base_url)
    mine = KeyError("mine")

    def block() -> None:
        with plexy:
            plexy.payment_links.statistics()
            raise mine

    with pytest.raises(KeyError) as caught:
        block()
    assert caught.value is mine
    with pytest.raises(ConfigurationError, match="closed"):
        plexy.payment_links.statistics()


def test_an_error_has_a_short_traceback(sandbox: ThreadedSandbox, plexy: PlexyPay) -> None:
    with pytest.raises(APIError) as caught:
        plexy.payment_links.retrieve("pl_none")
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[0].filename == __file__
    assert len(frames) <= 3
    sandbox.add_fault("code=5,operation=payment_links.list")
    with pytest.raises(APIError) as caught:
        plexy.payment_links.list().first_page()
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 3


def test_an_error_of_the_callers_function_shows_where(sandbox: ThreadedSandbox) -> None:
    def key_from_vault() -> str:
        raise LookupError("no vault")

    with (
        PlexyPay(key_from_vault, base_url=sandbox.base_url) as plexy,
        pytest.raises(ConfigurationError, match="api_key: the function that returns it raised") as caught,
    ):
        plexy.payment_links.statistics()
    cause = caught.value.__cause__
    assert isinstance(cause, LookupError)
    # Its frames would hold what the vault gave.
    assert cause.__traceback__ is None
    (place,) = cause.__notes__
    assert re.fullmatch(r"raised in .*test_sync_operations\.py, line \d+, in key_from_vault", place)


def without_return(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=False).parameters.values())


def test_the_facades_have_the_same_names_and_signatures() -> None:
    clients = [(AsyncPlexyPay, PlexyPay), (AsyncPlexyGate, PlexyGate), (AsyncPlexyCheckout, PlexyCheckout)]
    renamed = {ours.__name__: theirs.__name__ for ours, theirs in clients} | {"AsyncPages": "Pages"}
    names: list[str] = getattr(plexypay_async, "__all__")  # noqa: B009 - checkers see no list of the names
    assert {renamed.get(name, name) for name in names} == set(getattr(plexypay_sync, "__all__"))  # noqa: B009
    for ours, theirs in clients:
        constructor = [each for each in without_return(ours) if each.name != "session"]
        assert without_return(theirs) == constructor
        for name in ("with_options", "request", "close"):
            assert_alike(getattr(theirs, name), getattr(ours, name))
    for name in ("first_page", "prefetch", "resume", "pages"):
        assert_alike(getattr(plexypay_sync.Pages, name), getattr(plexypay_async.AsyncPages, name))


def assert_alike(ours: Any, theirs: Any) -> None:
    assert without_return(ours) == without_return(theirs)
    assert ours.__name__ == theirs.__name__
    assert inspect.getdoc(ours) == inspect.getdoc(theirs) is not None
    assert not inspect.iscoroutinefunction(ours)
    assert not inspect.isasyncgenfunction(ours)


def described(kind: type) -> dict[str, str]:
    """Return what a class' docstring says of each argument."""
    _, _, rest = (inspect.getdoc(kind) or "").partition("\nArgs:\n")
    arguments = rest.partition("\nRaises:")[0]
    entries = re.split(r"^    (?=\w+:)", arguments, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, _, text in (entry.partition(":") for entry in entries)}


def test_the_facades_describe_the_same_arguments() -> None:
    ours, theirs = described(PlexyPay), described(AsyncPlexyPay)
    assert list(ours) == [each.name for each in without_return(PlexyPay)]
    assert list(theirs) == [each.name for each in without_return(AsyncPlexyPay)]
    theirs.pop("session")
    # What is one loop's there is the process' here.
    differing = {"max_connections"}
    assert {name for name in ours if ours[name] != theirs[name]} == differing


def test_every_call_is_bound_alike() -> None:
    synchronous = PlexyPay("key", base_url="http://127.0.0.1:9")
    asynchronous = AsyncPlexyPay("key", base_url="http://127.0.0.1:9")
    derived = synchronous.with_options(timeout=1)
    seen: list[str] = []
    for group in every_group(PAY):
        doc = getattr(type(synchronous), group.group).__doc__
        assert doc == getattr(type(asynchronous), group.group).__doc__ is not None
        calls = [name for name, value in vars(group).items() if isinstance(value, (Declaration, Bulk, Wait))]
        for name in calls:
            theirs = getattr(getattr(asynchronous, group.group), name)
            for client in (synchronous, derived):
                ours = getattr(getattr(client, group.group), name)
                if name != "create_many":
                    assert_alike(ours, theirs)
            seen.append(f"{group.group}.{name}")
    assert {"payment_links.create", "payment_links.create_many", "transactions.wait", "payouts.list"} <= {
        *seen
    }


def test_create_many_offers_no_async_iterable_without_a_loop() -> None:
    plexy = PlexyPay("key", base_url="http://127.0.0.1:9")
    asynchronous = AsyncPlexyPay("key", base_url="http://127.0.0.1:9").payment_links.create_many
    offered = dict(inspect.signature(asynchronous).parameters)
    assert "AsyncIterable" in str(offered.pop("links"))
    assert "from an iterable or an async iterable." in str(inspect.getdoc(asynchronous))
    for call in (plexy.payment_links.create_many, plexy.payment_links.create_many.with_options(timeout=1)):
        own = dict(inspect.signature(call).parameters)
        assert str(own.pop("links")).replace("'", "") == "links: Iterable[CreatePaymentLink]"
        assert own == offered
        assert inspect.getdoc(call) == str(inspect.getdoc(asynchronous)).replace(" or an async iterable", "")


def test_help_shows_the_real_parameters() -> None:
    page = pydoc.plain(pydoc.render_doc(PlexyPay))
    assert "payment_links" in page
    assert "max_connections" in page
    assert "session" not in inspect.signature(PlexyPay).parameters
    plexy = PlexyPay("a-secret-key", base_url="http://127.0.0.1:9")
    page = pydoc.plain(pydoc.render_doc(plexy.payment_links.create))
    # Python 3.15 shows annotations as they are written.
    assert "order_reference: str | None = None" in page.replace("'", "")
    assert "**minor**" in page
    for call in (plexy.payment_links.create_many, plexy.transactions.wait, plexy.with_options, plexy.request):
        page += pydoc.plain(pydoc.render_doc(call))
    for shown in ("journal", "max_rate", "payment_link_id", "read_timeout", "replay"):
        assert shown in page
    for text in (repr(plexy), repr(plexy.payment_links), repr(plexy.payment_links.list()), page):
        assert "a-secret-key" not in text
        assert "async" not in text.lower().replace("plexypay_async", "")
