"""The webhooks of a sandbox, as tests and other programs see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from ...errors import ConfigurationError
from .delivery import Delivery
from .dispatcher import Dispatcher
from .store import DueDelivery

__all__ = ["Deliveries"]


class Deliveries:
    """The webhooks of a sandbox, the oldest first: iterate over it, or ask for its length.

    Its methods may be called from any thread.
    """

    def __init__(self, dispatcher: Callable[[], Dispatcher]) -> None:
        """Take a function that returns the running sandbox's dispatcher, or raises a `ConfigurationError`."""
        self._dispatcher = dispatcher

    def __iter__(self) -> Iterator[Delivery]:
        dispatcher = self._dispatcher()
        return iter(dispatcher.loop.do(lambda: list(dispatcher.store.all())))

    def __len__(self) -> int:
        dispatcher = self._dispatcher()
        return dispatcher.loop.do(dispatcher.store.count)

    def find(self, identifier: str) -> Delivery | None:
        """Return the delivery with this id."""
        dispatcher = self._dispatcher()
        return dispatcher.loop.do(lambda: dispatcher.store.find(identifier))

    def resend(self, delivery: Delivery | str) -> None:
        """Send a webhook once more, given itself or its id: at once, with all retries, and without faults.

        Raises:
            ValueError: There is none with this id, or its address is refused.
            ConfigurationError: The sandbox is not running.
        """
        dispatcher = self._dispatcher()
        identifier = delivery if isinstance(delivery, str) else delivery.id
        dispatcher.loop.do(lambda: dispatcher.resend(identifier))

    async def settled(self, timeout: float = 10.0) -> None:
        """Wait until all that is due by the sandbox's clock has been tried.

        A delivery that was not answered with 200 is due again after a pause: move the clock to try it anew,
        ``sandbox.clock.advance(seconds=5)``.

        Raises:
            TimeoutError: Something is still under way after `timeout` seconds of real time.
            ConfigurationError: The sandbox is not running, or was stopped meanwhile.
        """
        dispatcher = self._dispatcher()
        await dispatcher.loop.wait_for(dispatcher.settled(timeout))

    def wait_settled(self, timeout: float = 10.0) -> None:
        """Do the same as `settled`, for code that does not await, in a thread other than the sandbox's.

        Raises:
            TimeoutError: Something is still under way after `timeout` seconds of real time.
            ConfigurationError: The sandbox is not running, was stopped, or runs in this very thread.
        """
        dispatcher = self._dispatcher()
        if dispatcher.loop.is_of_this_thread:
            raise ConfigurationError("the sandbox runs in this thread; await sandbox.deliveries.settled()")
        dispatcher.loop.begin(dispatcher.settled(timeout)).result()

    def hand_over(self, send: Callable[[bytes, dict[str, str]], int]) -> int:
        """Give each held webhook that is due to a function, for an app that is tested without a port.

        They come in the order in which the sandbox would send them; one that is not answered with 200 is due
        again after a pause of the sandbox's clock, as when it is sent. Faults of deliveries apply.

        Args:
            send: Called in this thread with the body and the headers; returns the status that the app answers
                with. What it raises is an attempt that failed, and is raised.

        Returns:
            How often it was called.

        Raises:
            ConfigurationError: The sandbox is not running, or `hold_webhooks` is not set.
        """
        dispatcher, number = self._dispatcher(), 0
        while (held := dispatcher.loop.do(dispatcher.held)) is not None:
            due, headers = held
            number += 1
            try:
                status = send(due.body, headers)
            except BaseException as error:
                _record(dispatcher, due, None, type(error).__name__)
                raise
            _record(dispatcher, due, status)
        return number

    async def hand_over_async(self, send: Callable[[bytes, dict[str, str]], Awaitable[int]]) -> int:
        """Do the same with a coroutine function, which runs on the caller's event loop.

        Raises:
            ConfigurationError: The sandbox is not running, or `hold_webhooks` is not set.
        """
        dispatcher, number = self._dispatcher(), 0
        while (held := dispatcher.loop.do(dispatcher.held)) is not None:
            due, headers = held
            number += 1
            try:
                status = await send(due.body, headers)
            except BaseException as error:
                _record(dispatcher, due, None, type(error).__name__)
                raise
            _record(dispatcher, due, status)
        return number


def _record(dispatcher: Dispatcher, due: DueDelivery, status: int | None, error: str | None = None) -> None:
    if error is None and type(status) is not int:
        raise ConfigurationError(f"send: expected the status of the answer, got {type(status).__name__}")
    dispatcher.loop.do(lambda: dispatcher.record(due, status, error))
