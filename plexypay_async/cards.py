"""Cards for direct payments: a card that never shows itself, and its encryption for the API.

Raw card data puts whoever handles it in the scope of PCI DSS. Nothing here writes a card's number, expiry,
code or holder into a repr, a log, a pickle, an error or the locals of an error's traceback.

Evidence: that each field is encrypted apart with the merchant's RSA-2048 public key, and the fields' names,
are from the vendor's 2023 docs. The padding is published nowhere, nor is how the expiry is written.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import attrs

from ._privacy.hiding import hiding_arguments
from ._privacy.secret import Secret
from .errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["Card", "CardPadding", "EncryptedCard", "StoredCard", "encrypt_card"]

Encryption: TypeAlias = Callable[[bytes], bytes]

_SMALLEST_KEY = 2048
_SURROGATE = re.compile("[\ud800-\udfff]")


class CardPadding(enum.Enum):
    """How a field is padded before RSA. Which one the API expects is published nowhere: ask the vendor."""

    OAEP_SHA256 = "oaep_sha256"
    """OAEP with SHA-256 as its hash and in its mask (MGF1), and no label."""
    PKCS1_V15 = "pkcs1_v15"
    """PKCS#1 v1.5."""


# ---------------------------------------------------------------------------------------------- the card

# The checks of a card return what is wrong instead of raising, since the frames of a traceback would hold the
# values. No message has a value in it.


@attrs.frozen(eq=False, init=False)
class Card:
    """A payment card in plain, to be given to `encrypt_card` and nothing else.

    It never shows its values: not in repr or str, nor to what walks over its attributes, as error trackers
    do; ask for each by its name. It refuses to be pickled. Two cards are not compared. A number that fails
    the Luhn check is taken, since one of the vendor's test cards does; the server judges it, and whether the
    card has expired.

    Args:
        number: 12 to 19 digits; spaces and dashes between them are dropped.
        expiry_month: 1 to 12. A number is written with two digits; text of one or two digits is kept as it
            is.
        expiry_year: Such as 2027 or 27. A number is written with its last two digits, which is **assumed**,
            as the API answers ``07/27`` and the vendor does not say; text of two or four digits is kept as it
            is, so that ``"2027"`` is sent so.
        cvv: The card's code, 3 or 4 digits, as text.
        cardholder_name: As on the card.

    Raises:
        ConfigurationError: A value is of the wrong kind. It names the field and never shows a value.
    """

    _number: Secret[str] = attrs.field(repr=False)
    _expiry_month: Secret[str] = attrs.field(repr=False)
    _expiry_year: Secret[str] = attrs.field(repr=False)
    _cvv: Secret[str] | None = attrs.field(repr=False)
    _cardholder_name: Secret[str] | None = attrs.field(repr=False)

    def __init__(
        self,
        number: str,
        expiry_month: int | str,
        expiry_year: int | str,
        cvv: str | None = None,
        cardholder_name: str | None = None,
    ) -> None:
        number, expiry_month, expiry_year = _digits(number), _month(expiry_month), _year(expiry_year)
        wrong = (
            _wrong_number(number)
            or _wrong_month(expiry_month)
            or _wrong_year(expiry_year)
            or _wrong_cvv(cvv)
            or _wrong_name(cardholder_name)
        )
        if wrong is None:
            keep = object.__setattr__
            keep(self, "_number", Secret(number))
            keep(self, "_expiry_month", Secret(str(expiry_month)))
            keep(self, "_expiry_year", Secret(str(expiry_year)))
            keep(self, "_cvv", None if cvv is None else Secret(cvv))
            keep(self, "_cardholder_name", None if cardholder_name is None else Secret(cardholder_name))
            return
        del number, expiry_month, expiry_year, cvv, cardholder_name
        raise ConfigurationError(wrong)

    @property
    def number(self) -> str:
        """The number, its digits alone."""
        return self._number.reveal()

    @property
    def expiry_month(self) -> str:
        """The month in which it expires, as it is sent."""
        return self._expiry_month.reveal()

    @property
    def expiry_year(self) -> str:
        """The year in which it expires, as it is sent."""
        return self._expiry_year.reveal()

    @property
    def cvv(self) -> str | None:
        """Its code."""
        return None if self._cvv is None else self._cvv.reveal()

    @property
    def cardholder_name(self) -> str | None:
        """Its holder."""
        return None if self._cardholder_name is None else self._cardholder_name.reveal()

    def __repr__(self) -> str:
        return "<Card: hidden>"

    def __copy__(self) -> Card:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Card:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Card cannot be pickled, since its values would be readable; encrypt it first")


def _digits(number: Any) -> Any:
    return re.sub("[ -]", "", number) if isinstance(number, str) else number


def _month(month: Any) -> Any:
    return f"{month:02d}" if type(month) is int else month


def _year(year: Any) -> Any:
    return f"{year % 100:02d}" if type(year) is int and (0 <= year <= 99 or 2000 <= year <= 2099) else year


def _are_digits(value: Any, at_least: int, at_most: int) -> bool:
    return isinstance(value, str) and re.fullmatch(f"[0-9]{{{at_least},{at_most}}}", value) is not None


def _wrong_number(value: Any) -> str | None:
    return None if _are_digits(value, 12, 19) else "card.number: expected text of 12 to 19 digits"


def _wrong_month(value: Any) -> str | None:
    right = _are_digits(value, 1, 2) and 1 <= int(value) <= 12
    return None if right else "card.expiry_month: expected 1 to 12"


def _wrong_year(value: Any) -> str | None:
    right = _are_digits(value, 2, 2) or _are_digits(value, 4, 4)
    return None if right else "card.expiry_year: expected a year such as 2027, or text of two or four digits"


def _wrong_cvv(value: Any) -> str | None:
    return None if value is None or _are_digits(value, 3, 4) else "card.cvv: expected text of 3 or 4 digits"


def _wrong_name(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        return "card.cardholder_name: expected a name, or None"
    if _SURROGATE.search(value) is not None:
        return "card.cardholder_name: not valid Unicode text"
    return None


# ----------------------------------------------------------------------------------------- as it is sent


@hiding_arguments
@attrs.frozen
class EncryptedCard:
    """A card as the API takes it: each field encrypted apart, in Base64. `encrypt_card` makes one.

    Its repr shows nothing of it. Unlike a `Card` it can be pickled.

    Args:
        encrypted_card_number: The card's number.
        encrypted_expiry_month: The month in which it expires.
        encrypted_expiry_year: The year in which it expires.
        encrypted_cvv: Its code, if that is sent.
        encrypted_cardholder_name: Its holder, if that is sent.

    Raises:
        ConfigurationError: A value is no text, or is digits and so cannot be encrypted.

    Evidence: from 2023.
    """

    encrypted_card_number: str = attrs.field(repr=False)
    encrypted_expiry_month: str = attrs.field(repr=False)
    encrypted_expiry_year: str = attrs.field(repr=False)
    encrypted_cvv: str | None = attrs.field(default=None, repr=False)
    encrypted_cardholder_name: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(EncryptedCard):
            _check_ciphertext(field.name, getattr(self, field.name), optional=field.default is None)

    def __repr__(self) -> str:
        return "<EncryptedCard: hidden>"


def _check_ciphertext(name: str, value: Any, *, optional: bool) -> None:
    if value is None and optional:
        return
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name}: expected the encrypted field as Base64 text")
    if re.fullmatch(r"[\d\s-]+", value) is not None:
        raise ConfigurationError(f"{name}: this is not encrypted; make the card with encrypt_card")


@hiding_arguments
@attrs.frozen
class StoredCard:
    """A card that the API has stored, by its token.

    Args:
        token_id: The token, such as the `card_token_id` of an earlier payment.

    Raises:
        ConfigurationError: The token is no text, or is a card's number.

    Evidence: from 2023.
    """

    token_id: str

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.token_id, str) or not self.token_id.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("token_id: expected the token's text")
        if _are_digits(_digits(self.token_id), 12, 19):
            raise ConfigurationError("token_id: this is a card's number, not a token")


# -------------------------------------------------------------------------------------------- encryption


def encrypt_card(
    card: Card,
    public_key: str | bytes | RSAPublicKey | None = None,
    padding: CardPadding | Encryption = CardPadding.OAEP_SHA256,
) -> EncryptedCard:
    """Encrypt a card for a direct payment, each field apart, in Base64.

    Needs `cryptography`, which the extra ``plexypay[direct]`` brings, unless `padding` is a function.

    The padding that the API expects is **published nowhere**: ask the vendor before relying on the default,
    which is only the better of the two by today's judgement. How the expiry is written is assumed too, see
    `Card`.

    Args:
        card: The card in plain.
        public_key: The merchant's RSA public key, of 2048 bits or more: PEM, as text or bytes; DER, in Base64
            or as bytes; or a key object of `cryptography`.
        padding: A `CardPadding`, or a function of yours that takes a field's bytes (UTF-8) and returns them
            encrypted, before Base64. The function does all of the encryption: `public_key` is not looked at
            then and may be left out.

    Returns:
        The `EncryptedCard`, without the code or the holder's name where the card has none.

    Raises:
        ConfigurationError: The key is no RSA public key or is too small, a field is too long for it,
            `cryptography` is not installed, or the function failed; of its exception the type's name alone is
            kept, since what it says and the frames that it holds may show the card.
    """
    if not isinstance(card, Card):  # pyright: ignore[reportUnnecessaryIsInstance]
        kind = type(card).__name__
        del card
        raise ConfigurationError(f"card: expected a Card, got {kind}")
    if isinstance(padding, CardPadding):
        encrypt, room = _rsa_encryption(public_key, padding)
    elif callable(padding):
        encrypt, room = padding, None
    else:
        raise ConfigurationError("padding: expected a CardPadding or a function from bytes to bytes")
    return EncryptedCard(
        _encrypted(card, "number", encrypt, room),
        _encrypted(card, "expiry_month", encrypt, room),
        _encrypted(card, "expiry_year", encrypt, room),
        None if card.cvv is None else _encrypted(card, "cvv", encrypt, room),
        None if card.cardholder_name is None else _encrypted(card, "cardholder_name", encrypt, room),
    )


def _encrypted(card: Card, field: str, encrypt: Encryption, room: int | None) -> str:
    # The value is never a local: the traceback of an interrupt would show it.
    if room is not None and len(getattr(card, field).encode()) > room:
        raise ConfigurationError(f"card.{field}: longer than the {room} bytes that the key can encrypt")
    failure = ciphertext = None
    try:
        ciphertext = encrypt(getattr(card, field).encode())
    except Exception as error:  # noqa: BLE001 - a caller's function may raise anything
        failure = f"card.{field}: encrypting it failed with {type(error).__name__}"
    # Raised out of the handler, for the error not to have the other one as its context.
    if failure is not None:
        raise ConfigurationError(failure)
    if isinstance(ciphertext, bytes) and ciphertext:
        return base64.b64encode(ciphertext).decode()
    del ciphertext
    raise ConfigurationError("padding: the function must return the encrypted field as bytes")


def _rsa_encryption(key: Any, padding: CardPadding) -> tuple[Encryption, int]:
    """Return what encrypts a field, and how many bytes a field may have."""
    try:
        from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        raise ConfigurationError(
            'encrypt_card needs the package cryptography, which the extra "direct" brings: '
            "pip install 'plexypay[direct]'"
        ) from None
    public_key = _loaded(key)
    size = public_key.key_size // 8
    if padding is CardPadding.PKCS1_V15:
        return lambda field: public_key.encrypt(field, PKCS1v15()), size - 11
    digest = SHA256()
    oaep = OAEP(mgf=MGF1(digest), algorithm=digest, label=None)
    return lambda field: public_key.encrypt(field, oaep), size - 2 * digest.digest_size - 2


def _loaded(key: Any) -> RSAPublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    loaded = key
    if isinstance(key, (str, bytes)):
        try:
            content = key.encode() if isinstance(key, str) else key
            if content.lstrip().startswith(b"-----BEGIN"):
                loaded = load_pem_public_key(content.lstrip())
            elif content.startswith(b"\x30"):
                loaded = load_der_public_key(content)
            else:
                loaded = load_der_public_key(base64.b64decode(b"".join(content.split()), validate=True))
        except (ValueError, binascii.Error, UnsupportedAlgorithm):
            raise ConfigurationError(
                "public_key: not readable as a public key in PEM, or in DER as Base64 or bytes"
            ) from None
    if not isinstance(loaded, RSAPublicKey):
        raise ConfigurationError(f"public_key: expected an RSA public key, got {type(loaded).__name__}")
    if loaded.key_size < _SMALLEST_KEY:
        raise ConfigurationError(
            f"public_key: a key of {loaded.key_size} bits is too small; {_SMALLEST_KEY} is the least"
        )
    return loaded
