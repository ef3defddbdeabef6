"""What the Checkout API's clients are made with."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async import AsyncPlexyCheckout, ConfigurationError
from plexypay_sync import PlexyCheckout

both = pytest.mark.parametrize("client", [AsyncPlexyCheckout, PlexyCheckout], ids=["async", "sync"])


@both
@pytest.mark.parametrize("address", ["https://api.plexypay.com/v2", "https://sandbox.example/v2/"])
def test_the_printed_address_with_the_version_is_refused_with_what_to_do(
    client: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="base_url: leave /v2 out"):
        client("key", base_url=address)
    monkeypatch.setenv("PLEXYPAY_CHECKOUT_BASE_URL", address)
    with pytest.raises(ConfigurationError, match="base_url: leave /v2 out"):
        client("key")


@both
def test_a_live_key_of_payments_stays_out_of_clear_text(client: Any) -> None:
    with pytest.raises(ConfigurationError, match="it begins with pr_"):
        client("pr_0123456789", base_url="http://sandbox:8790", allow_http=True)


@both
def test_the_vendors_host_is_the_default(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_CHECKOUT_BASE_URL", raising=False)
    assert repr(client("key")) == f"<{client.__name__} https://api.plexypay.com>"
