"""Direct payments over real HTTP: encrypted by hand, the vendor's test cards, 3-D Secure."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from plexypay_async.api.operation import declarations
from plexypay_async.pay.direct_payments import DirectPayments
from plexypay_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio

DIRECT = "/v1/payments/direct"
CALLBACK = "/v1/3ds/callback"

CHALLENGED = "4111111111111111"
INSISTENT = "4918914107195005"
BROKEN = "5168159443230322"
FRICTIONLESS = "4200000000000000"
FRICTIONLESS_TOO = "4907639999909022"
FRICTIONLESS_FAILURE = "4907639999990022"
LUHN_FAILURE = "4111111111111110"

YEAR = datetime.now(UTC).year + 3

BROWSER = {
    "acceptHeader": "text/html",
    "language": "ru-KZ",
    "colorDepth": "24",
    "screenHeight": "1080",
    "screenWidth": "1920",
    "timeZone": "-300",
    "userAgent": "Mozilla/5.0",
    "javaEnabled": False,
}


BILLING = {
    "firstName": "John",
    "lastName": "Doe",
    "addressLine1": "Abay 1",
    "addressLine2": "",
    "postalCode": "050000",
    "phone": "+77010000000",
    "country": "KZ",
}


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def card(number: str, write: Callable[[str], str] = in_base64, *, cvv: str = "123") -> dict[str, str]:
    return {
        "encryptedCardNumber": write(number),
        "encryptedExpiryMonth": write("07"),
        "encryptedExpiryYear": write(f"{YEAR % 100:02}"),
        "encryptedCvv": write(cvv),
        "encryptedCardholderName": write("John Doe"),
    }


def payment(
    number: str = FRICTIONLESS, *, amount: float = 221, cvv: str = "123", **fields: Any
) -> dict[str, Any]:
    return {
        "terminalId": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
        "transactionType": "auth",
        "browserDetails": BROWSER,
        "customerDetails": {"billingAddress": BILLING},
        "orderDetails": {"amount": amount, "currency": "EUR", "orderReference": "1667207373325"},
        "cardData": card(number, cvv=cvv),
        "paymentMethod": "card",
        "threeDSNotificationUrl": "https://shop.example/3ds",
        **fields,
    }


async def status_of(ask: Any, identifier: str) -> str:
    return str((await ask("GET", f"/v1/transactions/{identifier}")).body["status"])


async def test_every_declared_operation_is_served(sandbox: Sandbox) -> None:
    declared = {item.name: (item.method, item.path) for item in declarations(DirectPayments).values()}
    assert len(declared) == 3
    assert {name: at for name, at in sandbox.served().items() if name in declared} == declared


async def public_key(ask: Any) -> RSAPublicKey:
    status, body, headers = await ask("GET", f"{DIRECT}/keys")
    assert (status, headers["X-Evidence"]) == (200, "assumed")
    (key,) = body["data"]
    assert (key["id"], key["algorithm"]) == ("sandbox", "RSA")
    loaded = load_pem_public_key(key["publicKey"].encode())
    assert isinstance(loaded, RSAPublicKey)
    assert loaded.key_size == 2048
    return loaded


@pytest.mark.parametrize("padding", ["oaep", "pkcs1"])
async def test_an_encrypted_card(ask: Any, padding: str) -> None:
    key = await public_key(ask)
    scheme = PKCS1v15() if padding == "pkcs1" else OAEP(MGF1(SHA256()), SHA256(), None)

    def encrypted(text: str) -> str:
        return base64.b64encode(key.encrypt(text.encode(), scheme)).decode()

    answer = (await ask("POST", DIRECT, payment() | {"cardData": card(FRICTIONLESS, encrypted)})).body
    assert (answer["success"], answer["cardMask"]) == (True, "******0000")
    assert (answer["cardExpiryDate"], answer["cardholderName"]) == (f"07/{YEAR % 100:02}", "John Doe")
    assert await public_key(ask) == key
    other = {"cardData": card("4000056655665556", encrypted)}
    refused = await ask("POST", DIRECT, payment() | other)
    assert (refused.status, refused.body["code"], refused.body["source"]) == (422, 5, "directPayments")


async def test_a_ciphertext_of_another_sandbox(ask: Any) -> None:
    stranger = base64.b64encode(b"\x01" * 256).decode()
    body = payment() | {"cardData": card(FRICTIONLESS) | {"encryptedCardNumber": stranger}}
    for _ in range(2):
        refused = await ask("POST", DIRECT, body)
        assert (refused.status, refused.body["code"]) == (422, 5)
        assert "cardData.encryptedCardNumber" in refused.body["message"]
        await public_key(ask)


async def test_without_cryptography_there_are_no_keys(
    ask: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.rsa", None)
    refused = await ask("GET", f"{DIRECT}/keys")
    assert (refused.status, refused.body["code"]) == (422, 5)
    assert "plexypay[direct]" in refused.body["message"]
    stranger = base64.b64encode(b"\x01" * 256).decode()
    body = payment() | {"cardData": card(FRICTIONLESS) | {"encryptedCardNumber": stranger}}
    assert (await ask("POST", DIRECT, body)).status == 422
    assert (await ask("POST", DIRECT, payment())).body["success"] is True


@pytest.mark.parametrize("write", [in_base64, str], ids=["base64", "plain"])
async def test_a_card_that_is_not_encrypted(ask: Any, write: Callable[[str], str]) -> None:
    body = payment() | {"cardData": card(FRICTIONLESS, write) | {"encryptedExpiryYear": write(str(YEAR))}}
    answer = (await ask("POST", DIRECT, body)).body
    assert (answer["success"], answer["cardholderName"]) == (True, "John Doe")
    assert answer["cardExpiryDate"] == f"07/{YEAR % 100:02}"


@pytest.mark.parametrize(
    ("kind", "captured", "states"),
    [
        ("auth", False, ["created", "authorized"]),
        ("sale", True, ["created", "authorized", "charged"]),
        ("verification", False, ["created", "authorized", "cancelled"]),
    ],
)
async def test_the_types_of_transaction(
    ask: Any, sandbox: Sandbox, kind: str, captured: bool, states: list[str]
) -> None:
    status, answer, headers = await ask("POST", DIRECT, payment(transactionType=kind, externalUserId="u-1"))
    assert (status, headers.get("X-Evidence")) == (200, None)
    assert (answer["success"], answer["captured"]) == (True, captured)
    assert (answer["responseCode"], answer["threeDS"]) == ("00", {"status": "Y", "type": "frictionless"})
    assert "code" not in answer
    assert "action" not in answer
    events = (await ask("GET", f"/v1/transactions/{answer['id']}/history")).body["data"]
    assert [event["status"] for event in events] == states
    (stored,) = sandbox.transactions()
    assert (stored["amount"], stored["customerId"], stored["paymentLinkId"]) == (221, "u-1", None)
    found = (await ask("GET", "/v1/transactions/by-order-reference/1667207373325")).body
    assert (found["transactionId"], found["status"]) == (answer["id"], states[-1])


async def test_an_authorization_is_captured_by_hand_or_after_five_days(ask: Any, sandbox: Sandbox) -> None:
    first, second = [(await ask("POST", DIRECT, payment())).body["id"] for _ in range(2)]
    assert (await ask("POST", f"/v1/payments/{first}/capture", {"amount": 100})).status == 200
    sandbox.clock.advance(hours=119)
    assert await status_of(ask, second) == "authorized"
    sandbox.clock.advance(hours=1)
    assert await status_of(ask, second) == "charged"


async def test_a_challenge_answers_as_published(
    ask: Any, sandbox: Sandbox, example: Callable[[str], Any]
) -> None:
    status, answer, _ = await ask("POST", DIRECT, payment(CHALLENGED, transactionType="sale"))
    expected = example("direct-payment-3ds.json")
    assert (status, answer.keys()) == (200, expected.keys())
    assert answer["threeDS"].keys() == expected["threeDS"].keys()
    changing = {name: answer[name] for name in ("id", "threeDS", "cardTokenId", "cardExpiryDate")}
    assert answer == expected | changing
    challenge = answer["threeDS"]
    assert (challenge["status"], challenge["type"]) == ("C", "challengeflow")
    assert challenge["action"].startswith(sandbox.base_url)
    assert f'action="{challenge["action"]}"' in challenge["html"]
    assert f'value="{challenge["creq"]}"' in challenge["html"]
    assert await status_of(ask, answer["id"]) == "3d"


def written(document: Any, encode: Callable[[bytes], bytes]) -> str:
    return encode(json.dumps(document).encode()).decode()


@pytest.mark.parametrize(
    ("cres", "passes"),
    [
        ("555", True),
        ("111", False),
        ("123456", False),
        (written({"otp": "555"}, base64.b64encode), True),
        (written({"otp": "555"}, base64.urlsafe_b64encode).rstrip("="), True),
        (written({"otp": "111", "n": "???>>>~~~"}, base64.urlsafe_b64encode), False),
    ],
)
async def test_the_end_of_a_challenge(ask: Any, cres: str, passes: bool) -> None:
    begun = (await ask("POST", DIRECT, payment(CHALLENGED, transactionType="sale"))).body
    body = {"cres": cres, "transactionId": begun["id"]}
    status, ended, _ = await ask("POST", CALLBACK, body)
    assert (status, ended["success"], ended["captured"]) == (200, passes, passes)
    assert (ended["id"], ended["amount"]) == (begun["id"], 221)
    assert ended["threeDS"] == {"status": "Y" if passes else "N", "type": "challengeflow"}
    assert ended.get("code") == (None if passes else "3DS")
    assert ended.get("cardTokenId") == (begun["cardTokenId"] if passes else None)
    assert await status_of(ask, begun["id"]) == ("charged" if passes else "rejected")
    again = await ask("POST", CALLBACK, body)
    assert (again.status, again.body["code"]) == (422, 5)


@pytest.mark.parametrize(
    ("number", "fields", "code", "three_ds"),
    [
        (FRICTIONLESS, {"amount": 20510}, "51", {"status": "Y", "type": "frictionless"}),
        (FRICTIONLESS_FAILURE, {}, "3DS", {"status": "N", "type": "frictionless"}),
        (LUHN_FAILURE, {}, "14", {"status": "Y", "type": "frictionless"}),
        (CHALLENGED, {"amount": 20050, "skipThreeDS": True}, "05", None),
        (CHALLENGED, {"cvv": "444", "skipThreeDS": True}, "N7", None),
        (INSISTENT, {"skipThreeDS": True}, "1A", None),
    ],
)
async def test_a_decline(ask: Any, number: str, fields: Any, code: str, three_ds: Any) -> None:
    status, answer, _ = await ask("POST", DIRECT, payment(number, **fields))
    assert (status, answer["success"], answer["captured"]) == (200, False, False)
    assert (answer["code"], answer["responseCode"], answer.get("threeDS")) == (code, code, three_ds)
    assert answer["cvvStatus"] == ("N" if code == "N7" else "M")
    assert "action" not in answer
    assert "cardTokenId" not in answer
    assert await status_of(ask, answer["id"]) == "rejected"


@pytest.mark.parametrize(
    ("number", "fields", "code"),
    [(CHALLENGED, {"amount": 20050}, "05"), (CHALLENGED, {"cvv": "444"}, "N7"), (BROKEN, {}, "3DS")],
)
async def test_a_decline_after_a_challenge(ask: Any, number: str, fields: Any, code: str) -> None:
    begun = (await ask("POST", DIRECT, payment(number, **fields))).body
    assert begun["action"] == "3ds-required"
    ended = (await ask("POST", CALLBACK, {"cres": "555", "transactionId": begun["id"]})).body
    assert (ended["success"], ended["code"]) == (False, code)
    assert await status_of(ask, begun["id"]) == "rejected"


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (FRICTIONLESS, {}),
        (FRICTIONLESS_TOO, {"amount": 20510}),
        (FRICTIONLESS_TOO, {"amount": 0.01}),
        (FRICTIONLESS, {"amount": 20050}),
        (FRICTIONLESS, {"amount": 205.10}),
        (CHALLENGED, {"skipThreeDS": True}),
        (INSISTENT, {"moto": True}),
    ],
)
async def test_what_goes_through_without_a_question(ask: Any, number: str, fields: Any) -> None:
    answer = (await ask("POST", DIRECT, payment(number, **fields))).body
    assert answer["success"] is True
    assert await status_of(ask, answer["id"]) == "authorized"


@pytest.mark.parametrize(
    ("month", "year", "passes"), [(1, YEAR - 4, False), (12, YEAR + 8, False), (12, YEAR, True)]
)
async def test_an_expiry(ask: Any, month: int, year: int, passes: bool) -> None:
    data = card(FRICTIONLESS)
    data |= {"encryptedExpiryMonth": in_base64(str(month)), "encryptedExpiryYear": in_base64(str(year))}
    answer = (await ask("POST", DIRECT, payment() | {"cardData": data})).body
    assert (answer["success"], answer.get("code")) == (passes, None if passes else "54")


async def test_a_kept_card_pays_again(ask: Any, sandbox: Sandbox) -> None:
    first = (await ask("POST", DIRECT, payment())).body
    again = payment() | {"cardData": {"tokenId": first["cardTokenId"]}}
    second = (await ask("POST", DIRECT, again)).body
    assert (second["success"], second["cardTokenId"]) == (True, first["cardTokenId"])
    assert (second["cardMask"], second["cardExpiryDate"]) == ("******0000", f"07/{YEAR % 100:02}")
    alone = (await ask("GET", f"/v1/transactions/{second['id']}")).body
    assert alone["cardTokenId"] == first["cardTokenId"]
    unknown = await ask("POST", DIRECT, payment() | {"cardData": {"tokenId": "none"}})
    assert (unknown.status, unknown.body["code"]) == (404, 4)
    pending = (await ask("POST", DIRECT, payment(CHALLENGED))).body["cardTokenId"]
    early = await ask("POST", DIRECT, payment() | {"cardData": {"tokenId": pending}})
    assert early.status == 404
    assert len(sandbox.transactions()) == 3


async def test_a_series(ask: Any) -> None:
    initial = (await ask("POST", DIRECT, payment(recurring={"recurringType": "cof_initial"}))).body
    series = {"recurringType": "ucof", "parentTransactionId": initial["id"]}
    following = payment(recurring=series) | {"cardData": {"tokenId": initial["cardTokenId"]}}
    assert (await ask("POST", DIRECT, following)).body["success"] is True
    plain = (await ask("POST", DIRECT, payment())).body
    for parent, status in ((plain["id"], 422), ("none", 404)):
        refused = await ask("POST", DIRECT, payment(recurring=series | {"parentTransactionId": parent}))
        assert refused.status == status


def with_card(**fields: str) -> dict[str, Any]:
    return payment(cardData=card(FRICTIONLESS) | fields)


def without(*path: str) -> dict[str, Any]:
    body = json.loads(json.dumps(payment()))
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return dict(body)


def blank(path: tuple[str, ...], text: str) -> dict[str, Any]:
    body = json.loads(json.dumps(payment(recurring={"recurringType": "ucof"})))
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = text
    return dict(body)


NEVER_BLANK = [
    ("transactionType",),
    ("terminalId",),
    ("threeDSNotificationUrl",),
    *(("customerDetails", "billingAddress", name) for name in BILLING if name != "addressLine2"),
    ("cardData", "encryptedCardNumber"),
    ("cardData", "encryptedCvv"),
    ("cardData", "encryptedCardholderName"),
    ("recurring", "recurringType"),
    ("recurring", "parentTransactionId"),
]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (without("transactionType"), 400, "transactionType"),
        (without("orderDetails"), 400, "orderDetails"),
        (without("orderDetails", "amount"), 400, "orderDetails.amount"),
        (without("orderDetails", "currency"), 400, "orderDetails.currency"),
        (without("terminalId"), 400, "terminalId"),
        (without("threeDSNotificationUrl"), 400, "threeDSNotificationUrl"),
        (without("customerDetails"), 400, "customerDetails"),
        (without("customerDetails", "billingAddress"), 400, "customerDetails.billingAddress"),
        *(
            (
                without("customerDetails", "billingAddress", name),
                400,
                f"customerDetails.billingAddress.{name}",
            )
            for name in BILLING
        ),
        (without("cardData", "encryptedCvv"), 400, "cardData.encryptedCvv"),
        (without("cardData", "encryptedCardholderName"), 400, "cardData.encryptedCardholderName"),
        (payment(scaExemption="high_value"), 422, "scaExemption"),
        (payment(recurring={"recurringType": "ucof"}), 400, "recurring.parentTransactionId"),
        *((blank(path, text), 400, ".".join(path)) for path in NEVER_BLANK for text in ("", " ")),
        (without("cardData"), 400, "cardData"),
        (without("cardData", "encryptedCardNumber"), 400, "cardData.encryptedCardNumber"),
        (without("cardData", "encryptedExpiryYear"), 400, "cardData.encryptedExpiryYear"),
        (payment(transactionType="refund"), 422, "transactionType"),
        (payment(paymentMethod="cash"), 422, "paymentMethod"),
        (payment(amount=1.001), 422, "orderDetails.amount"),
        (payment(amount=0), 422, "orderDetails.amount"),
        (payment(amount=1e17), 422, "orderDetails.amount"),
        (payment(amount=10**30), 422, "orderDetails.amount"),
        (payment(orderDetails={"amount": "1", "currency": "EUR"}), 400, "orderDetails.amount"),
        (payment(orderDetails={"amount": 1, "currency": "EURO"}), 422, "orderDetails.currency"),
        (payment("4000056655665556"), 422, "cardData.encryptedCardNumber"),
        (payment(cvv="12"), 422, "cardData.encryptedCvv"),
        (with_card(encryptedExpiryMonth="13"), 422, "cardData.encryptedExpiryMonth"),
        (with_card(encryptedExpiryYear="203"), 422, "cardData.encryptedExpiryYear"),
        (payment(browserDetails=BROWSER | {"colorDepth": 24}), 400, "browserDetails.colorDepth"),
        (payment(browserDetails=BROWSER | {"javaEnabled": "no"}), 400, "browserDetails.javaEnabled"),
        (payment(skipThreeDS="yes"), 400, "skipThreeDS"),
        (payment(recurring={}), 400, "recurring.recurringType"),
        (payment(recurring={"recurringType": "monthly"}), 422, "recurring.recurringType"),
    ],
)
async def test_a_payment_that_cannot_be(
    ask: Any, sandbox: Sandbox, body: Any, status: int, field: str
) -> None:
    refused = await ask("POST", DIRECT, body)
    assert (refused.status, refused.body["code"]) == (status, {400: 3, 422: 5}[status])
    assert refused.body["message"].startswith(f"{field}: ")
    assert "4000056655665556" not in refused.body["message"]
    assert sandbox.transactions() == []


@pytest.mark.parametrize(
    "cres", ["", "no base64!", "e30", "W10", "MQ==", in_base64('{"otp": 555}'), in_base64("\x00")]
)
async def test_a_cres_that_is_none(ask: Any, cres: str) -> None:
    begun = (await ask("POST", DIRECT, payment(CHALLENGED))).body
    refused = await ask("POST", CALLBACK, {"cres": cres, "transactionId": begun["id"]})
    assert (refused.status, refused.body["code"]) == (422, 5)
    assert refused.body["message"].startswith("cres: ")
    assert await status_of(ask, begun["id"]) == "3d"


async def test_a_callback_that_cannot_be(ask: Any) -> None:
    plain = (await ask("POST", DIRECT, payment())).body["id"]
    for body, status in (
        ({"transactionId": plain}, 400),
        ({"cres": "555"}, 400),
        ({"cres": "555", "transactionId": "none"}, 404),
        ({"cres": "555", "transactionId": plain}, 422),
    ):
        assert (await ask("POST", CALLBACK, body)).status == status


def field_of(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize(
    ("number", "otp", "title", "state"),
    [
        (CHALLENGED, "555", "Confirmed", "authorized"),
        (CHALLENGED, "111", "Not confirmed", "rejected"),
        (CHALLENGED, "", "Not confirmed", "rejected"),
        (BROKEN, "555", "Not confirmed", "rejected"),
    ],
)
async def test_the_bank_s_page(
    ask: Any, session: aiohttp.ClientSession, number: str, otp: str, title: str, state: str
) -> None:
    begun = (await ask("POST", DIRECT, payment(number))).body
    challenge = begun["threeDS"]
    sent = {"creq": challenge["creq"], "threeDSSessionData": challenge["threeDSSessionData"]}
    async with session.post(challenge["action"], data=sent) as response:
        page = await response.text()
    session_data = field_of(page, "threeDSSessionData")
    assert session_data == challenge["threeDSSessionData"]
    filled = {"otp": otp, "threeDSSessionData": session_data}
    async with session.post(challenge["action"], data=filled) as response:
        page = await response.text()
    assert f"<h1>{title}</h1>" in page
    assert 'action="https://shop.example/3ds"' in page
    assert field_of(page, "threeDSSessionData") == challenge["threeDSSessionData"]
    body = {"cres": field_of(page, "cres"), "transactionId": begun["id"]}
    assert (await ask("POST", CALLBACK, body)).status == 200
    assert await status_of(ask, begun["id"]) == state
    async with session.get(challenge["action"]) as response:
        assert response.status == 404


@pytest.mark.parametrize("address", ["none", "javascript:alert(1)"])
@pytest.mark.parametrize(("otp", "title"), [("555", "Confirmed"), ("111", "Not confirmed")])
async def test_the_bank_s_page_without_a_way_back(
    ask: Any, session: aiohttp.ClientSession, address: str, otp: str, title: str
) -> None:
    begun = (await ask("POST", DIRECT, payment(CHALLENGED, threeDSNotificationUrl=address))).body
    async with session.post(begun["threeDS"]["action"], data={"otp": otp}) as response:
        page = await response.text()
    assert "javascript" not in page
    assert f"<h1>{title}</h1>" in page
    found = re.search("cres: <code>(.*?)</code>", page)
    assert found is not None
    body = {"cres": found[1], "transactionId": begun["id"]}
    assert (await ask("POST", CALLBACK, body)).body["success"] is (otp == "555")


async def test_no_card_is_kept_in_plain_sight(ask: Any, sandbox: Sandbox) -> None:
    await ask("POST", DIRECT, payment(CHALLENGED))
    shown = json.dumps(sandbox.transactions())
    assert CHALLENGED not in shown
    assert "123" not in [item.get("cvv") for item in sandbox.transactions()]
