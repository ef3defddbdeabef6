# pyright: strict
# ruff: noqa: F401, I001
"""Names that the package does not have: checkers report each line marked E, and no other. Never run."""

import plexypay_async
from plexypay_async import ApiError  # E
from plexypay_async import AsyncPlexypay  # E
from plexypay_async import Pages  # E
from plexypay_async import PaymentLnik  # E
from plexypay_async import PlexyPay  # E
from plexypay_async import RefundedError  # E
from plexypay_async import Settings  # E
from plexypay_async import encrypt_crad  # E
from plexypay_async.errors import NotFonudError  # E

print(plexypay_async.AsyncPlexyPay, plexypay_async.PaymentLink, plexypay_async.encrypt_card)
print(plexypay_async.PaymentLnik)  # E
print(plexypay_async.PlexyPay)  # E


def attributes(plexy: plexypay_async.AsyncPlexyPay) -> None:
    """Take attributes of a client and of a group."""
    print(plexy.payment_links, plexy.wallet)
    print(plexy.payment_link)  # E
    print(plexy.payments.refnud)  # E
