"""The sandbox itself: a local Plexy Pay over real HTTP."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Self

import orjson

from .._privacy.secret import Secret
from ..api.index import every_declaration
from ..apis import APIS
from ..errors import ConfigurationError
from .clock import Clock
from .deliveries.log import Deliveries
from .deliveries.settings import PAUSES, WebhookSettings, checkout_secret
from .deliveries.settings import webhook_token as checked_token
from .exchange import Refusal
from .faults import Fault, Faults
from .handlers.group import find_handlers, name_in_sandbox
from .running import RunningSandbox, Setup
from .site import Site, checked_each, is_loopback
from .state.acquirer import LinkPayment
from .state.issuer import DEFAULT_CARD, PASSWORD
from .thread import ServingThread
from .traffic import Traffic

__all__ = ["Sandbox"]


class Sandbox:
    """A local Plexy Pay that needs no account and misbehaves on demand.

    It serves the library's declared operations over real HTTP, keeps its state in SQLite and answers bad
    input with the published errors::

        async with Sandbox(faults=["code=1,rate=0.05"]) as sandbox:
            async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
                ...
            assert sandbox.requests.count("payment_links.create") == 1

    Every answer carries ``X-Plexypay-Sandbox: 1``, by which a client knows it. Answers of operations that are
    assumed carry ``X-Evidence: assumed``; those of faults name the fault in ``X-Sandbox-Fault``.

    ``async with`` serves on the running event loop. Code that blocks the thread of that loop, such as a call
    of the synchronous `PlexyPay`, would never be answered: for such code, use ``with``, which serves on a
    thread of its own. Either way, the attributes and methods below may be used from any thread.

    Args:
        api_key: The key that requests must carry. Unless given ``sandbox-key``, and a random one where it
            listens on more than a loopback address.
        database: A file for the state, created if it does not exist and used again by the next sandbox.
            Unless given, the state is in memory and lost at the stop. An empty string is a temporary file,
            deleted at the stop, for more links than memory should hold.
        host: The address to listen on. On any but a loopback address or ``localhost``, the sandbox's own
            paths (``/_sandbox`` and ``/``) need the `admin_token`. It speaks plain HTTP: anyone on
            the network between can read the keys.
        port: The port to listen on; 0 takes a free one, anew at each start.
        faults: Faults in force from the start, as `Fault` or text.
        seed: Makes the chances of the faults the same in each run.
        max_page_size: What a listing's `size` is clamped to.
        webhook_url: Where webhooks go whose link has no ``callbackUrl``; nowhere unless given.
        webhook_token: What they carry as ``Authorization: Bearer``; the `api_key` unless given.
        checkout_webhook_url: Where webhooks of the Checkout API go; to `webhook_url` unless given.
        checkout_webhook_secret: What they are signed with, as ``Plexy-Signature``; made of the `api_key`
            unless given.
        webhook_hosts: Hosts to which webhooks may go besides this machine and that of `webhook_url`; ``"*"``
            is any host. To others nothing is sent: test data may hold the addresses of real shops.
        webhook_ports: Ports of this machine to which webhooks may go besides that of `webhook_url` and those
            at which servers under development usually are (3000, 5000, 8000, 8080, 8791); ``"*"`` is any. To
            others nothing is sent: a link must not reach other services of this machine.
        webhook_pauses: Seconds of the sandbox's clock between the attempts at one webhook, which therefore
            has one attempt more than there are pauses.
        webhook_timeout: Seconds of real time that a receiver has to answer.
        hold_webhooks: Whether to send none: a test hands them over, `deliveries.hand_over`.
        allowed_hosts: Names by which it may be called besides `host`, ``localhost`` and, where it listens on
            more than a loopback address, addresses: ``["sandbox"]`` for ``http://sandbox:8790``. A request
            with any other ``Host`` is refused with 403: a web page could have sent it (DNS rebinding).
        admin_token: What the sandbox's own paths ask for as ``Authorization: Bearer``, or as the password of
            ``Basic``. Unless given nothing, and a random one where it listens on more than a loopback
            address.
        request_timeout: Seconds of real time in which a request must have arrived, from its first byte to the
            end of its body; its connection is closed after them.
        max_connections: How many connections are open at most. A further one replaces the one that has been
            idle longest.

    Attributes:
        api_key: The key that requests must carry.
        admin_token: What its own paths ask for; None where they ask for nothing.
        clock: Its `Clock`, which can be moved ahead: ``sandbox.clock.advance(hours=1)``.
        faults: The `Faults` in force: ``sandbox.faults.add("code=1,times=2")``.
        requests: What arrived, a `Traffic`: ``sandbox.requests.count("payment_links.create")``.
        deliveries: The webhooks, `Deliveries`: ``await sandbox.deliveries.settled()``.

    Raises:
        ConfigurationError: A value is not possible.
        ValueError: The text of a fault cannot be read as one.
        NotImplementedError: A declared operation has no handler; the message has its full name.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        database: str | os.PathLike[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[Fault | str] = (),
        seed: int | str | None = None,
        max_page_size: int = 100,
        webhook_url: str | None = None,
        webhook_token: str | None = None,
        checkout_webhook_url: str | None = None,
        checkout_webhook_secret: str | None = None,
        webhook_hosts: Iterable[str] = (),
        webhook_ports: Iterable[int | str] = (),
        webhook_pauses: Iterable[float] = PAUSES,
        webhook_timeout: float = 10.0,
        hold_webhooks: bool = False,
        allowed_hosts: Iterable[str] = (),
        admin_token: str | None = None,
        request_timeout: float = 30.0,
        max_connections: int = 1000,
    ) -> None:
        self.api_key, self._admin_token = _keys(host, api_key, admin_token)
        self.clock: Clock = Clock()
        self.faults: Faults = Faults(seed)
        self.requests: Traffic = Traffic()
        self.deliveries: Deliveries = Deliveries(lambda: self._started().dispatcher)
        self._webhooks = WebhookSettings(
            url=webhook_url,
            token=checked_token(self.api_key if webhook_token is None else webhook_token),
            checkout_url=checkout_webhook_url,
            checkout_secret=checkout_secret(checkout_webhook_secret, self.api_key),
            hosts=webhook_hosts,
            ports=webhook_ports,
            pauses=webhook_pauses,
            timeout=webhook_timeout,
            held=hold_webhooks,
        )
        self._setup = Setup(
            host=host,
            port=port,
            database=database,
            site=Site(host, allowed_hosts, self._admin_token),
            webhooks=self._webhooks,
            clock=self.clock,
            faults=self.faults,
            requests=self.requests,
            handlers=find_handlers(one for api in APIS for one in every_declaration(api)),
            max_page_size=max_page_size,
            request_timeout=request_timeout,
            max_connections=max_connections,
        )
        checked_each("faults", faults, self.faults.add, such_as=["code=1,rate=0.05"])
        self._running: RunningSandbox | None = None
        self._thread: ServingThread | None = None

    def __repr__(self) -> str:
        where = "stopped" if self._running is None else self._running.base_url
        return f"<Sandbox: {where}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = ServingThread(self.start, self.stop)
        thread.start()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
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
    def admin_token(self) -> str | None:
        """What the sandbox's own paths ask for; None where they ask for nothing."""
        return None if self._admin_token is None else self._admin_token.reveal()

    @property
    def webhook_url(self) -> str | None:
        """Where webhooks go whose link has no ``callbackUrl``; may be set, for the changes that follow.

        Raises:
            ConfigurationError: What it is set to is no ``http`` or ``https`` address.
        """
        return self._webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self._webhooks.url = url

    @property
    def webhook_token(self) -> str:
        """What webhooks carry as ``Authorization: Bearer``; may be set, for the attempts that follow.

        Raises:
            ConfigurationError: What it is set to is no printable ASCII text.
        """
        return self._webhooks.token.reveal()

    @webhook_token.setter
    def webhook_token(self, token: str) -> None:
        self._webhooks.token = checked_token(token)

    @property
    def checkout_webhook_url(self) -> str | None:
        """Where webhooks of the Checkout API go; may be set, for the changes that follow.

        Raises:
            ConfigurationError: What it is set to is no ``http`` or ``https`` address.
        """
        return self._webhooks.checkout_url

    @checkout_webhook_url.setter
    def checkout_webhook_url(self, url: str | None) -> None:
        self._webhooks.checkout_url = url

    @property
    def checkout_webhook_secret(self) -> str:
        """What webhooks of the Checkout API are signed with; may be set, for the attempts that follow.

        Raises:
            ConfigurationError: What it is set to is no printable ASCII text.
        """
        return self._webhooks.checkout_secret.reveal()

    @checkout_webhook_secret.setter
    def checkout_webhook_secret(self, secret: str) -> None:
        self._webhooks.checkout_secret = checkout_secret(secret, self.api_key)

    @property
    def hold_webhooks(self) -> bool:
        """Whether no webhook is sent, and a test hands them over; may be set, for what is due from then on.

        ``sandbox.deliveries.hand_over(send)`` gives each to a function of the test, for an app that has no
        port. Webhooks are then made without a `webhook_url` too.
        """
        return self._webhooks.held

    @hold_webhooks.setter
    def hold_webhooks(self, held: bool) -> None:
        self._webhooks.held = held

    def payment_links(self) -> list[dict[str, Any]]:
        """Return every stored payment link whole, as the API would show it, the oldest first."""
        running = self._started()
        links = running.loop.do(lambda: list(running.state.links.all()))
        return [_as_json(link.whole(running.base_url)) for link in links]

    def transactions(self) -> list[dict[str, Any]]:
        """Return every stored transaction as webhooks show one, the oldest first; amounts in major units."""
        running = self._started()
        transactions = running.loop.do(lambda: list(running.state.transactions.all()))
        return [_as_json(transaction.whole()) for transaction in transactions]

    def gate_orders(self) -> list[dict[str, Any]]:
        """Return every stored order of the Gate API as that shows one, with its ``agent_id``; oldest first.

        Amounts are texts in **major** units.
        """
        running = self._started()
        orders = running.loop.do(lambda: list(running.state.gate_orders.all()))
        return [_as_json({**order.shown(), "agent_id": order.agent_id}) for order in orders]

    def checkout_payments(self) -> list[dict[str, Any]]:
        """Return every stored payment of the Checkout API, the oldest first; amounts in **minor** units."""
        running = self._started()
        payments = running.loop.do(lambda: list(running.state.checkout.payments.all()))
        return [_as_json(payment.shown()) for payment in payments]

    def pay_session(
        self,
        session_id: str,
        *,
        card: str = DEFAULT_CARD,
        cvv: str | None = None,
        otp: str = PASSWORD,
        failed: bool = False,
    ) -> dict[str, Any]:
        """Pay a session of the Checkout API as its shopper would; return the payment as `checkout_payments`
        shows it.

        Args:
            session_id: The session's id.
            card: As for `pay`.
            cvv: As for `pay`.
            otp: As for `pay`; ``pending`` leaves the payment ``challenged``.
            failed: As for `pay`.

        Raises:
            ConfigurationError: The sandbox is not running.
            ValueError: There is no such session, it takes no payment, or the card is no test card.
        """  # noqa: D205 - one sentence
        running = self._started()
        payment = LinkPayment(card=card, cvv=cvv, otp=otp, failed=failed)
        try:
            paid = running.loop.do(lambda: running.state.checkout.pay_session(session_id, payment))
        except Refusal as refusal:
            raise ValueError(refusal.response.document["message"]) from None
        return _as_json(paid.shown())

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
            transaction = running.loop.do(lambda: running.state.acquirer.pay_link(payment_link_id, payment))
        except Refusal as refusal:
            raise ValueError(refusal.response.document["message"]) from None
        return _as_json(transaction.whole())

    def reset(self) -> None:
        """Forget what was stored, requests and faults, and return the clock to real time.

        The settings stay, those of webhooks too; webhooks under way are given up.
        """
        running = self._started()
        running.loop.do(running.reset)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: It is running already, or the database is not one of a sandbox.
            sqlite3.Error: The database cannot be opened.
            OSError: The address cannot be listened on.
        """
        if self._running is not None:
            raise ConfigurationError("the sandbox is running already")
        self._running = await RunningSandbox.open(self._setup, Secret(self.api_key))
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
        """Return the method and path of each operation that is served, by the operation's name.

        Those of other APIs than the Pay API are called by theirs too, such as ``gate.orders.create``.
        """
        return {
            name_in_sandbox(declaration): (declaration.method, declaration.path)
            for declaration, _ in self._started().operations
        }

    def _started(self) -> RunningSandbox:
        if self._running is None:
            raise ConfigurationError("the sandbox is not running; use it in a `with` or `async with` block")
        return self._running


def _keys(host: str, api_key: str | None, admin_token: str | None) -> tuple[str, Secret[str] | None]:
    is_exposed = not is_loopback(host)
    if api_key is None:
        api_key = secrets.token_urlsafe(24) if is_exposed else "sandbox-key"
    if admin_token is None and is_exposed:
        admin_token = secrets.token_urlsafe(24)
    for name, text in (("api_key", api_key), ("admin_token", admin_token)):
        if text is not None and (not text or not text.isascii() or not text.isprintable()):
            raise ConfigurationError(f"{name}: expected printable ASCII text")
    return api_key, None if admin_token is None else Secret(admin_token)


def _as_json(document: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return read
