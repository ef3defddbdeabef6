# pyright: strict
# ruff: noqa: F401, I001
"""Names that the package does not have: checkers report each line marked E, and no other. Never run."""

import plexypay_sync
from plexypay_sync import ApiError  # E
from plexypay_sync import AsyncPages  # E
from plexypay_sync import AsyncPlexyPay  # E
from plexypay_sync import PaymentLnik  # E
from plexypay_sync import Plexypay  # E
from plexypay_sync import RefundedError  # E
from plexypay_sync import Settings  # E
from plexypay_sync import encrypt_crad  # E
from plexypay_async.errors import NotFonudError  # E

print(plexypay_sync.PlexyPay, plexypay_sync.PaymentLink, plexypay_sync.encrypt_card)
print(plexypay_sync.PaymentLnik)  # E
print(plexypay_sync.AsyncPlexyPay)  # E


def attributes(plexy: plexypay_sync.PlexyPay) -> None:
    """Take attributes of a client and of a group."""
    print(plexy.payment_links, plexy.wallet)
    print(plexy.payment_link)  # E
    print(plexy.payments.refnud)  # E
