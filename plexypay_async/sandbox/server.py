"""The sandbox itself: a local Plexy Pay over real HTTP."""

from __future__ import annotations

import asyncio
import concurrent.futures
import ipaddress
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
from aiohttp import web

from ..api.beneficiaries import Beneficiaries
from ..api.customers import Customers
from ..api.direct_payments import DirectPayments
from ..api.merchant import MerchantAccount
from ..api.payment_links import PaymentLinks
from ..api.payments import Payments
from ..api.payouts import Payouts
from ..api.recurring import RecurringPayments
from ..api.settlement_orders import SettlementOrders
from ..api.split_requests import SplitRequests
from ..api.transactions import Transactions
from ..api.wallet import Wallet
from ..errors import ConfigurationError
from ..operation import Declaration, Evidence, Resource, declarations
from .acquirer import Acquirer
from .admin import add_admin
from .assumed import AssumedHandlers
from .checkout import add_checkout
from .clock import Clock
from .database import open_database
from .deliveries import Deliveries
from .delivery_store import DeliveryStore
from .direct_payments import DirectPaymentHandlers
from .dispatcher import Dispatcher
from .exchange import Handler, Refusal
from .faults import Fault, Faults
from .gate import Gate
from .index_page import add_index
from .issuer import DEFAULT_CARD, PASSWORD
from .link_payments import LinkPayment, LinkPayments
from .link_store import LinkStore
from .payment_links import PaymentLinkHandlers
from .payments import PaymentHandlers
from .record_store import RecordStore
from .recurring import RecurringHandlers
from .settlement_order_store import SettlementOrderStore
from .settlement_orders import SettlementOrderHandlers
from .thread import ServingThread
from .traffic import Traffic
from .transaction_store import TransactionStore
from .transactions import TransactionHandlers
from .wallet import WalletHandlers
from .wallet_store import WalletStore
from .webhook_settings import PAUSES, WebhookSettings

__all__ = ["Sandbox"]

T = TypeVar("T")

_BACKLOG = 1024
# Seconds that requests under way have to end, and then again to be cancelled, when the sandbox stops.
_GRACE = 0.2
_STORES = (LinkStore, TransactionStore, WalletStore, SettlementOrderStore, RecordStore, DeliveryStore)


class Sandbox:
    """A local Plexy Pay that needs no account and misbehaves on demand.

    It serves the library's declared operations over real HTTP, keeps its state in SQLite and answers bad
    input with the published errors::

        async with Sandbox(faults=["code=1,rate=0.05"]) as sandbox:
            async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
                ...
            assert sandbox.requests.count("payment_links.create") == 1

    Answers of operations that are assumed carry ``X-Evidence: assumed``; those of faults name the fault in
    ``X-Sandbox-Fault``.

    ``async with`` serves on the running event loop. Code that blocks that loop's thread, such as calls of the
    synchronous `PlexyPay`, would wait for an answer that cannot come; ``with`` serves on a thread of its own.
    Either way, what follows may be used from any thread.

    Args:
        api_key: The key that requests must carry.
        database: A file for the state, made if it is not there and read again by the next sandbox; in
            memory, and gone at the stop, unless given. An empty string is a file that SQLite takes away at
            the stop, for more links than memory should hold.
        host: The address to listen on. On any but a loopback address, whoever reaches the sandbox can steer
            it: its own paths (``/_sandbox``) need no key.
        port: The port to listen on; 0 takes a free one, anew at each start.
        faults: Faults in force from the start, as `Fault` or text.
        seed: Makes the chances of the faults the same in each run.
        max_page_size: What a listing's `size` is clamped to.
        webhook_url: Where webhooks go whose link has no ``callbackUrl``; nowhere unless given.
        webhook_token: What they carry as ``Authorization: Bearer``; the `api_key` unless given.
        webhook_hosts: Hosts to which webhooks may go besides this machine and that of `webhook_url`; ``"*"``
            is any host. To others nothing is sent: test data may hold the addresses of real shops.
        webhook_pauses: Seconds of the sandbox's clock between the attempts at one webhook, which therefore
            has one attempt more than there are pauses.
        webhook_timeout: Seconds of real time that a receiver has to answer.

    Attributes:
        api_key: The key that requests must carry.
        clock: Its `Clock`, which can be moved ahead: ``sandbox.clock.advance(hours=1)``.
        faults: The `Faults` in force: ``sandbox.faults.add("code=1,times=2")``.
        requests: What arrived, a `Traffic`: ``sandbox.requests.count("payment_links.create")``.
        deliveries: The webhooks, `Deliveries`: ``await sandbox.deliveries.settled()``.

    Raises:
        ConfigurationError: A value cannot be.
        ValueError: A fault's text is none.
    """

    clock: Clock
    """The sandbox's clock, which can be moved ahead."""
    faults: Faults
    """The faults in force."""
    requests: Traffic
    """What arrived."""
    deliveries: Deliveries
    """The webhooks."""

    def __init__(
        self,
        *,
        api_key: str = "sandbox-key",
        database: str | os.PathLike[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[Fault | str] = (),
        seed: int | str | None = None,
        max_page_size: int = 100,
        webhook_url: str | None = None,
        webhook_token: str | None = None,
        webhook_hosts: Iterable[str] = (),
        webhook_pauses: Iterable[float] = PAUSES,
        webhook_timeout: float = 10.0,
    ) -> None:
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ConfigurationError("api_key: expected printable ASCII text")
        if max_page_size < 1:
            raise ConfigurationError(f"max_page_size: must be positive, got {max_page_size}")
        if isinstance(faults, (str, Fault)):
            raise ConfigurationError("faults: expected several, such as ['code=1,rate=0.05']")
        self.api_key = api_key
        self.clock = Clock()
        self.faults = Faults(seed)
        self.requests = Traffic()
        self.deliveries = Deliveries(self._started)
        self._webhooks = WebhookSettings(
            url=webhook_url,
            token=api_key if webhook_token is None else webhook_token,
            hosts=webhook_hosts,
            pauses=webhook_pauses,
            timeout=webhook_timeout,
        )
        for fault in faults:
            self.faults.add(fault)
        self._database = database
        self._host = host
        self._port = port
        self._max_page_size = max_page_size
        self._running: _Running | None = None
        self._thread: ServingThread | None = None

    def __repr__(self) -> str:
        where = "stopped" if self._running is None else self._running.base_url
        return f"<Sandbox: {where}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = ServingThread(self.start, self.stop)
        thread.start()
        self._thread = thread
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    @property
    def base_url(self) -> str:
        """The address to give to a client, without a slash at its end.

        Raises:
            ConfigurationError: The sandbox is not running.
        """
        return self._started().base_url

    @property
    def webhook_url(self) -> str | None:
        """Where webhooks go whose link has no ``callbackUrl``; may be set, for the changes that follow.

        Raises:
            ConfigurationError: What it is set to is no ``http`` or ``https`` address.
        """
        return self._webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self._webhooks.set_url(url)

    @property
    def webhook_token(self) -> str:
        """What webhooks carry as ``Authorization: Bearer``; may be set, for the attempts that follow.

        Raises:
            ConfigurationError: What it is set to is no printable ASCII text.
        """
        return self._webhooks.token

    @webhook_token.setter
    def webhook_token(self, token: str) -> None:
        self._webhooks.set_token(token)

    def payment_links(self) -> list[dict[str, Any]]:
        """Return every stored payment link whole, as the API would show it, the oldest first."""
        running = self._started()
        links = running.on_loop(lambda: list(running.links.all()))
        return [orjson.loads(orjson.dumps(link.whole(running.base_url))) for link in links]

    def transactions(self) -> list[dict[str, Any]]:
        """Return every stored transaction as webhooks show one, the oldest first; amounts in major units."""
        running = self._started()
        transactions = running.on_loop(lambda: list(running.transactions.all()))
        return [orjson.loads(orjson.dumps(transaction.whole())) for transaction in transactions]

    def pay(
        self,
        payment_link_id: str,
        *,
        card: str = DEFAULT_CARD,
        cvv: str | None = None,
        otp: str = PASSWORD,
        failed: bool = False,
    ) -> dict[str, Any]:
        """Pay an active link as its customer would, and return the transaction as `transactions` shows it.

        The link is ``paid`` where the transaction is ``authorized``; else it can be paid anew.

        Args:
            payment_link_id: The link's id.
            card: The number of a test card.
            cvv: Its code.
            otp: The customer's answer to a 3-D Secure challenge, if the card asks for it: ``555`` passes,
                ``111`` fails, ``pending`` leaves the transaction in ``3d``.
            failed: Whether the payment fails by a system error.

        Raises:
            ConfigurationError: The sandbox is not running.
            ValueError: There is no such link, it is not active, or the card is no test card.
        """
        running = self._started()
        payment = LinkPayment(card=card, cvv=cvv, otp=otp, failed=failed)
        try:
            transaction = running.on_loop(lambda: running.link_payments.pay(payment_link_id, payment))
        except Refusal as refusal:
            raise ValueError(refusal.answer.document["message"]) from None
        paid: dict[str, Any] = orjson.loads(orjson.dumps(transaction.whole()))
        return paid

    def reset(self) -> None:
        """Forget what was stored, requests and faults, and return the clock to real time.

        The settings stay, those of webhooks too; webhooks under way are given up.
        """
        running = self._started()
        running.on_loop(running.clear)
        self.requests.clear()
        self.faults.clear()
        self.clock.reset()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: It is running already, or the database is not one of a sandbox.
            sqlite3.Error: The database cannot be opened.
            OSError: The address cannot be listened on.
        """
        if self._running is not None:
            raise ConfigurationError("the sandbox is running already")
        listener = await _listen(self._host, self._port)
        try:
            connection = open_database(self._database, [store.SCHEMA for store in _STORES])
        except BaseException:
            listener.close()
            raise
        self._running = _Running(self, listener, connection, self._max_page_size, self._webhooks)
        try:
            await self._running.begin()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, end what hangs, and close the database. Stopping twice does nothing."""
        running, self._running = self._running, None
        if running is not None:
            await running.end()

    def served(self) -> Mapping[str, tuple[str, str]]:
        """Return the method and path of each operation that is served, by the operation's name."""
        return {
            declaration.name: (declaration.method, declaration.path)
            for declaration, _ in self._started().operations
        }

    def _started(self) -> _Running:
        if self._running is None:
            raise ConfigurationError("the sandbox is not running; use it in a `with` or `async with` block")
        return self._running


class _Running:
    """What a sandbox has between its start and its stop."""

    def __init__(
        self,
        sandbox: Sandbox,
        listener: socket.socket,
        connection: sqlite3.Connection,
        max_page_size: int,
        webhooks: WebhookSettings,
    ) -> None:
        self.base_url = _base_url(listener)
        self.links = LinkStore(connection, sandbox.clock)
        self.payment_links = PaymentLinkHandlers(
            self.links, sandbox.clock, base_url=self.base_url, max_page_size=max_page_size
        )
        self.dispatcher = Dispatcher(
            DeliveryStore(connection), self.links, sandbox.clock, sandbox.faults, webhooks
        )
        self.transactions = TransactionStore(connection, sandbox.clock, self.dispatcher.transaction_changed)
        acquirer = Acquirer(self.transactions, self.links)
        self.link_payments = LinkPayments(self.links, acquirer, sandbox.clock)
        self._transaction_handlers = TransactionHandlers(self.transactions, max_page_size=max_page_size)
        self._wallet = WalletStore(connection)
        self._settlement_orders = SettlementOrderStore(
            connection, sandbox.clock, self.dispatcher.order_changed
        )
        self._records = RecordStore(connection)
        assumed = AssumedHandlers(self._records, self.transactions, max_page_size=max_page_size)
        self.operations = tuple(
            _operations(
                {
                    PaymentLinks: self.payment_links.handlers(),
                    RecurringPayments: RecurringHandlers(self.transactions, acquirer).handlers(),
                    DirectPayments: DirectPaymentHandlers(
                        self.transactions, acquirer, base_url=self.base_url
                    ).handlers(),
                    Transactions: self._transaction_handlers.handlers(),
                    Payments: PaymentHandlers(self.transactions).handlers(),
                    SplitRequests: assumed.split_requests(),
                    SettlementOrders: SettlementOrderHandlers(
                        self._settlement_orders, max_page_size=max_page_size
                    ).handlers(),
                    Payouts: assumed.payouts(),
                    Customers: assumed.customers(),
                    Beneficiaries: assumed.beneficiaries(),
                    MerchantAccount: assumed.merchant(),
                    Wallet: WalletHandlers(self._wallet, max_page_size=max_page_size).handlers(),
                }
            )
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._listener = listener
        self._connection = connection
        self._gate = Gate(sandbox.api_key, sandbox.faults, sandbox.requests)
        self._runner = web.AppRunner(
            self._application(sandbox), access_log=None, handle_signals=False, shutdown_timeout=_GRACE
        )

    def on_loop(self, work: Callable[[], T]) -> T:
        """Do something with the database on the thread on which the requests do it.

        The methods of a sandbox may be called from any thread, and a connection serves one at a time.
        """
        if threading.get_ident() == self._thread:
            return work()
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised in the thread that asked for it
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result()

    async def begin(self) -> None:
        self.dispatcher.begin(self._pass_time)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener, backlog=_BACKLOG).start()

    def clear(self) -> None:
        self.links.clear()
        self.transactions.clear()
        self._wallet.clear()
        self._settlement_orders.clear()
        self._records.clear()
        self.dispatcher.clear()

    async def end(self) -> None:
        self._gate.stop()
        try:
            await self.dispatcher.end()
        finally:
            await self._runner.cleanup()
            self._listener.close()
            self._connection.close()

    def _pass_time(self) -> int | None:
        self.transactions.capture_due()
        self._settlement_orders.pay_due()
        changes = (self.transactions.next_capture_at(), self._settlement_orders.next_payment_at())
        return min((at for at in changes if at is not None), default=None)

    def _application(self, sandbox: Sandbox) -> web.Application:
        gate = self._gate

        @web.middleware
        async def answer_unknown(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            refused = request.match_info.http_exception
            return await (handler(request) if refused is None else gate.unknown(request, refused))

        application = web.Application(middlewares=[answer_unknown])
        # A path without parameters wins over one that could swallow it.
        for declaration, handler in sorted(
            self.operations, key=lambda served: len(served[0].path_parameters) > 0
        ):
            assumed = declaration.evidence is Evidence.ASSUMED
            application.router.add_route(
                declaration.method,
                # As it stands in the declaration, a parameter could hold no braces.
                re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", declaration.path),
                gate.route(declaration.name, handler, {"X-Evidence": "assumed"} if assumed else None),
            )
        add_admin(
            application,
            sandbox,
            self.payment_links,
            self.link_payments,
            self._transaction_handlers,
            self.dispatcher,
        )
        add_index(application, self.links, self.transactions, self.dispatcher, base_url=self.base_url)
        add_checkout(application, self.links, self.link_payments, self.transactions)
        return application


def _operations(
    groups: Mapping[type[Resource[Any]], Mapping[str, Handler]],
) -> Iterator[tuple[Declaration[...], Handler]]:
    for group, handlers in groups.items():
        declared = declarations(group)
        for name, handler in handlers.items():
            yield declared[name], handler


async def _listen(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    # One socket, also for a name with several addresses: port 0 would be another port on each.
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def _base_url(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    host = ipaddress.ip_address(address.partition("%")[0])
    if host.is_unspecified:
        host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")
    return f"http://[{host}]:{port}" if host.version == 6 else f"http://{host}:{port}"
