"""Direct payments, as the sandbox does them with the vendor's test cards.

Evidence: request and answer are of 2023, the path of the keys and their answer are assumed
(``{"data": [{"id", "algorithm", "publicKey"}]}``, the key in PEM). The amount is in major units. What else
the sandbox has to decide:

- Each field of a card is encrypted with the sandbox's key, in OAEP (SHA-256) or PKCS#1 v1.5. A field that is
  no ciphertext is read as it is, or as Base64: a client that cannot encrypt can still use the test cards.
- ``cres`` is Base64, or its variant for URLs, of a JSON object with the customer's one-time password as
  ``otp``, ``{"otp": "555"}``; the sandbox's bank page (``threeDS.action``) makes it. The password alone is
  taken too: ``555`` passes, ``111`` fails.
- What the table of 2023 requires must be there: the terminal (any), the address for the end of 3-D Secure,
  the billing address but for its city, the code and the holder of a card without a token, the parent of
  ``ucof``. None of it may be blank but ``addressLine2``, which the client takes empty too.
- An ``auth`` is captured by itself after five days, a ``sale`` at once; a ``verification`` is authorized and
  cancelled. The order references of direct payments may repeat.
- ``skipThreeDS``, ``moto`` and ``ucof`` go without 3-D Secure. The card 4918914107195005 refuses
  ``skipThreeDS``.
- ``captured`` is true for a sale also while its customer is being authenticated, as in the vendor's example.
- A card's token (``cardTokenId``) pays again as ``cardData.tokenId``; merchant-initiated payments need one of
  a payment that was made with ``cof_initial``.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable
from html import escape
from typing import Any

import attrs
import orjson

from ..exchange import ApiRequest, ApiResponse, in_base64
from ..money import MoneyFields, in_major_units
from ..state.acquirer import Authentication
from ..state.issuer import CARDS, REASONS, PresentedCard
from ..state.transactions import IMMEDIATE, MANUAL, VERIFICATION, StoredTransaction, TransactionDraft
from .card_keys import CardKeys
from .group import GroupHandlers
from .recurring import initial_payment

__all__ = ["DirectPaymentsHandlers"]

_CLEARING = {"auth": MANUAL, "sale": IMMEDIATE, "verification": VERIFICATION}
_BROWSER = "acceptHeader language colorDepth screenHeight screenWidth timeZone userAgent"
_MONTH, _YEAR = re.compile("0?[1-9]|1[0-2]"), re.compile("[0-9]{2}|[0-9]{4}")
_CVV = re.compile("[0-9]{3,4}")
_BILLING = "firstName lastName addressLine1 addressLine2 postalCode phone country"
_CVV_STATUSES = {"M": "matched", "N": "not matched", "P": "not provided"}
_THROUGH = ("authorized", "charged", "cancelled", "refunded")


@attrs.define
class DirectPaymentsHandlers(GroupHandlers):
    """What the sandbox does for each operation of direct payments."""

    source = "directPayments"
    noun = "transaction"

    _keys: CardKeys = attrs.field(factory=CardKeys, init=False)

    def keys(self, _: ApiRequest) -> ApiResponse:
        """Return the public key with which cards are encrypted for the sandbox."""
        key = {"id": "sandbox", "algorithm": "RSA", "publicKey": self._keys.public_key()}
        return ApiResponse(200, {"data": [key]})

    def create(self, request: ApiRequest) -> ApiResponse:
        """Pay with a card."""
        fields = MoneyFields(request.body, source=self.source)
        transaction_type = fields.required_text("transactionType")
        if transaction_type not in _CLEARING:
            raise fields.bad_value("transactionType", "expected auth, sale or verification")
        if fields.text("paymentMethod") not in (None, "card"):
            raise fields.bad_value("paymentMethod", "expected card")
        fields.required_text("terminalId")
        _check_browser(fields)
        order = fields.given("orderDetails", fields.nested("orderDetails"))
        amount = order.required_major_units("amount")
        currency = order.currency("currency")
        order_reference = order.text("orderReference")
        _check_billing(fields)
        notification_url = fields.required_text("threeDSNotificationUrl")
        if fields.text("scaExemption") not in (None, "low_value"):
            raise fields.bad_value("scaExemption", "expected low_value")
        card, token = self._card(fields.given("cardData", fields.nested("cardData")))
        recurring_type, parent_id = self._series(fields)
        draft = TransactionDraft(
            amount=amount,
            currency=currency,
            clearing=_CLEARING[transaction_type],
            order_reference=order_reference,
            description=order.text("description"),
            parent_id=parent_id,
            customer_id=fields.text("externalUserId"),
            recurring_type=recurring_type,
            card_token_id=token or str(uuid.uuid4()),
            notification_url=notification_url,
        )
        skipped, moto = fields.boolean("skipThreeDS"), fields.boolean("moto")
        authentication = Authentication.SKIPPED if skipped else Authentication.ASKED
        if moto or recurring_type == "ucof":
            authentication = Authentication.EXEMPT
        return self._shown(self._state.acquirer.pay(draft, card, authentication))

    def continue_3ds(self, request: ApiRequest) -> ApiResponse:
        """Continue a payment whose customer has answered on the bank's page."""
        fields = MoneyFields(request.body, source=self.source)
        password = _password(fields)
        identifier = fields.required_text("transactionId")
        transaction = self._found(self._state.transactions.find(identifier))
        if transaction.status != "3d":
            raise fields.bad_value("transactionId", f"is {transaction.status}, not in 3-D Secure")
        return self._shown(self._state.acquirer.answer_challenge(transaction, password))

    def _card(self, fields: MoneyFields) -> tuple[PresentedCard, str | None]:
        token = fields.text("tokenId")
        if token is not None:
            kept = self._found(self._state.transactions.find_by_card_token(token), "card token").card
            if fields.text("encryptedCvv") is not None:
                # The customer has entered the code anew.
                kept = attrs.evolve(kept, cvv=self._read(fields, "encryptedCvv", _CVV.fullmatch))
            return kept, token
        number = self._read(fields, "encryptedCardNumber", CARDS.__contains__)
        month = int(self._read(fields, "encryptedExpiryMonth", _MONTH.fullmatch))
        year = int(self._read(fields, "encryptedExpiryYear", _YEAR.fullmatch))
        cvv = self._read(fields, "encryptedCvv", _CVV.fullmatch)
        holder = self._read(fields, "encryptedCardholderName", str.strip, last=True)
        card = PresentedCard(number=number, expiry_month=month, expiry_year=year, cvv=cvv, holder=holder)
        return card, None

    def _read(
        self, fields: MoneyFields, name: str, is_one: Callable[[str], object], *, last: bool = False
    ) -> str:
        readings = [text for text in self._keys.readings(fields.required_text(name)) if is_one(text)]
        if not readings:
            told = "is none of the test cards, or" if name == "encryptedCardNumber" else "is malformed, or"
            raise fields.bad_value(name, f"{told} not encrypted with the sandbox's key")
        return readings[-1 if last else 0]

    def _series(self, fields: MoneyFields) -> tuple[str | None, str | None]:
        recurring = fields.nested("recurring")
        if recurring is None:
            return None, None
        kind = recurring.required_text("recurringType")
        if kind not in ("cof_initial", "ucof"):
            raise recurring.bad_value("recurringType", "expected cof_initial or ucof")
        parent_id = recurring.text("parentTransactionId")
        if kind == "ucof":
            recurring.required_text("parentTransactionId")
        if parent_id is not None:
            initial_payment(self._state.transactions, recurring, "parentTransactionId", parent_id)
        return kind, parent_id

    def _shown(self, transaction: StoredTransaction) -> ApiResponse:
        pending = transaction.status == "3d"
        success = pending or transaction.status in _THROUGH
        shown: dict[str, Any] = {
            "id": transaction.id,
            "orderReference": transaction.order_reference,
            "amount": in_major_units(transaction.amount),
            "currency": transaction.currency,
            "paymentMethod": "card",
            "success": success,
            "captured": success and transaction.clearing == IMMEDIATE,
            "message": "Authentication required" if pending else REASONS[transaction.response_code],
            "cardMask": f"******{transaction.last4}",
            "cardExpiryDate": transaction.card_expiry,
            "cardholderName": transaction.cardholder,
            "cardScheme": CARDS[transaction.card_number].scheme,
        }
        if transaction.card_token_id is not None:
            shown["cardTokenId"] = transaction.card_token_id
        if pending:
            shown["threeDS"] = _challenge_request(transaction, self._base_url)
            shown["action"] = "3ds-required"
            return ApiResponse(200, shown)
        if transaction.three_ds_status is not None:
            challenged = CARDS[transaction.card_number].flow.is_challenge
            flow = "challengeflow" if challenged else "frictionless"
            shown["threeDS"] = {"status": transaction.three_ds_status, "type": flow}
        shown["cvvStatus"] = transaction.cvv_status
        shown["cvvStatusDecoded"] = _CVV_STATUSES.get(transaction.cvv_status or "")
        shown["networkTransactionReference"] = transaction.network_reference
        shown["responseCode"] = transaction.response_code
        if success:
            shown["authCode"] = transaction.auth_code
        else:
            shown["code"] = transaction.response_code
        return ApiResponse(200, shown)


def _challenge_request(transaction: StoredTransaction, base_url: str) -> dict[str, Any]:
    """Return what a merchant needs to send its customer to the sandbox's bank page."""
    action = f"{base_url}/checkout/3ds/{transaction.id}"
    creq = in_base64(
        {
            "threeDSServerTransID": transaction.id,
            "messageType": "CReq",
            "messageVersion": "2.2.0",
            "challengeWindowSize": "05",
        }
    )
    session_data = in_base64({"transactionId": transaction.id})
    html = (
        f'<form method="post" action="{escape(action)}"><input type="hidden" name="creq" value="{creq}">'
        f'<input type="hidden" name="threeDSSessionData" value="{session_data}"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    return {
        "html": html,
        "status": "C",
        "type": "challengeflow",
        "creq": creq,
        "threeDSSessionData": session_data,
        "action": action,
    }


def _password(fields: MoneyFields) -> str:
    cres = fields.required_text("cres", may_be_empty=True).strip()
    if cres.isascii() and cres.isdigit():
        return cres
    plain = cres.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        document = orjson.loads(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        password = document["otp"]
    except (binascii.Error, ValueError, TypeError, LookupError):
        password = None
    if not isinstance(password, str):
        raise fields.bad_value("cres", 'expected a one-time password, or {"otp": "555"} in Base64')
    return password


def _check_billing(fields: MoneyFields) -> None:
    customer = fields.given("customerDetails", fields.nested("customerDetails"))
    address = customer.given("billingAddress", customer.nested("billingAddress"))
    for name in _BILLING.split():
        address.required_text(name, may_be_empty=name == "addressLine2")


def _check_browser(fields: MoneyFields) -> None:
    browser = fields.nested("browserDetails")
    if browser is not None:
        for name in _BROWSER.split():
            browser.text(name)
        browser.boolean("javaEnabled")
