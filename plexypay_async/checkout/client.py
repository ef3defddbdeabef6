"""`AsyncPlexyCheckout`: the async client of the Checkout API."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from .._client import taking_options
from ..api.description import API
from ..api.facades import Async
from ..client import AsyncClient
from ..options import ClientOptions
from ..settings import APIKey
from . import Groups
from .description import CHECKOUT

if TYPE_CHECKING:
    from .._http import ClientSession

__all__ = ["AsyncPlexyCheckout"]


@taking_options
class AsyncPlexyCheckout(AsyncClient, Groups[Async]):
    """A client of the Plexy Checkout API for asyncio.

    It repeats, waits and pages as `AsyncPlexyPay` does, whose options it takes.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block.
            ``PLEXYPAY_CHECKOUT_API_KEY`` unless given; not that of the Pay API.
        merchant_account: Your merchant account's name, sent with each request that names none itself;
            ``PLEXYPAY_MERCHANT_ACCOUNT`` unless given.
        base_url: ``PLEXYPAY_CHECKOUT_BASE_URL``, or the vendor's host, unless given; without ``/v2``.
        session: An `aiohttp.ClientSession` of yours, whose connections are used; see `AsyncPlexyPay`.
        options: Those that the clients of all APIs take; see `ClientOptions`.

    Raises:
        ConfigurationError: A value is missing or unusable; the message names it.
    """

    api: ClassVar[API] = CHECKOUT

    def __init__(
        self,
        api_key: APIKey | None = None,
        *,
        merchant_account: str | None = None,
        base_url: str | None = None,
        session: ClientSession | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(
            api_key,
            session,
            base_url=base_url,
            parameters={"merchant_account": merchant_account},
            **options,
        )
