"""`PlexyCheckout`: the client of the Checkout API for code without an event loop."""

from __future__ import annotations

from typing import ClassVar, Unpack

from plexypay_async._client import taking_options
from plexypay_async.api.description import API
from plexypay_async.api.facades import Sync
from plexypay_async.checkout import Groups
from plexypay_async.checkout.description import CHECKOUT
from plexypay_async.options import ClientOptions
from plexypay_async.settings import APIKey

from .client import SyncClient

__all__ = ["PlexyCheckout"]


@taking_options
class PlexyCheckout(SyncClient, Groups[Sync]):
    """A client of the Plexy Checkout API for code without an event loop.

    It repeats, waits and pages as `PlexyPay` does, whose options it takes.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block.
            ``PLEXYPAY_CHECKOUT_API_KEY`` unless given; not that of the Pay API.
        merchant_account: Your merchant account's name, sent with each request that names none itself;
            ``PLEXYPAY_MERCHANT_ACCOUNT`` unless given.
        base_url: ``PLEXYPAY_CHECKOUT_BASE_URL``, or the vendor's host, unless given; without ``/v2``.
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
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(
            api_key,
            base_url=base_url,
            parameters={"merchant_account": merchant_account},
            **options,
        )
