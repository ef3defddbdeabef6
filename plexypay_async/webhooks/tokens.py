"""The tokens that webhooks carry or are signed with: which may be expected, and which one a delivery has."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Any, cast

from .._privacy.secret import Secret
from ..errors import ConfigurationError, WebhookAuthenticationError

__all__ = ["checked_tokens", "header_in", "is_one_of", "token_in"]

_SCHEME = re.compile(rb"bearer[ \t]+", re.IGNORECASE)
_SHORTEST_TOKEN = 8
_LONG_TOKEN = 24
"""Characters from which on a token of words or digits is not one that others have too."""
_FEWEST_CHARACTERS = 4
"""How many different ones a token has."""
_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_TOLD = "it is the token that webhooks are to carry: look whether PLEXYPAY_WEBHOOK_TOKEN is set"
_WELL_KNOWN = re.compile(
    "(?:secret|token|password|passwd|passphrase|pass|change|me|it|now|test|testing|tester|example|sample|demo"
    "|default|dummy|fake|placeholder|key|api|auth|authorization|bearer|credential|webhook|whsec|hook|web"
    "|callback"
    "|my|your|our|the|a|an|is|this|here|replace|insert|put|set|with|plexy|pay|merchant|shop|store|admin|root"
    "|user|guest|login|letmein|welcome|qwerty|qwertyuiop|asdfgh|abc|abcdef|abcdefgh|xyz|foo|bar|baz|none|null"
    "|undefined|todo|dev|local|localhost|staging|prod|production|live|public|private|super|top|very|good|new"
    "|old)+"
)


def checked_tokens(tokens: Any, name: str = "tokens", told: str = _TOLD) -> tuple[Secret[bytes], ...] | str:
    """Return the tokens, or what is wrong with them, which shows none.

    Args:
        tokens: One, or several.
        name: What the caller gave them as.
        told: What one is for.
    """
    if isinstance(tokens, str):
        tokens = (tokens,)
    elif isinstance(tokens, (bytes, bytearray)) or not isinstance(tokens, Iterable):
        return f"{name}: expected a string or several, got {type(tokens).__name__}; {told}"
    checked: dict[Secret[bytes], None] = {}
    for token in cast("Iterable[Any]", tokens):
        wrong = _wrong_token(token)
        if wrong is not None:
            return f"{name}: {wrong}{'' if token else f'; {told}'}"
        checked[Secret(token.encode())] = None
        # The next one may raise.
        del token
    if not checked:
        return f"{name}: there is none, and without one any delivery would be a forged one"
    return tuple(checked)


def _wrong_token(token: Any) -> str | None:
    if not isinstance(token, str):
        return f"expected strings, got {type(token).__name__}"
    if not token:
        return "must not be empty"
    if re.fullmatch(r"[ -~]+", token) is None:
        return "one has a control character or a letter outside ASCII"
    if token != token.strip():
        return "one begins or ends with a space"
    if token.lower().split()[0] == "bearer":
        return 'give the token alone, without the scheme "Bearer"'
    if len(token) < _SHORTEST_TOKEN:
        return f"one has fewer than {_SHORTEST_TOKEN} characters and can be guessed; {_MAKE_ONE}"
    if len(set(token)) < _FEWEST_CHARACTERS or _is_well_known(token):
        return f"one is well known and can be guessed; {_MAKE_ONE}"
    return None


def _is_well_known(token: str) -> bool:
    """Tell whether a token is short and made of words that stand in everybody's examples, or of digits."""
    letters = re.sub("[^a-z]", "", token.lower())
    return len(token) < _LONG_TOKEN and (token.isdecimal() or _WELL_KNOWN.fullmatch(letters) is not None)


def token_in(headers: Any) -> bytes:
    """Return the one token that a delivery's headers carry, without its scheme.

    Raises:
        WebhookAuthenticationError: They carry none, or more than one.
        ConfigurationError: They are no mapping.
    """
    value = header_in(headers, "Authorization")
    scheme = _SCHEME.match(value)
    given = value if scheme is None else value[scheme.end() :]
    if not given:
        raise WebhookAuthenticationError("the Authorization header is empty")
    return given


def header_in(headers: Any, name: str) -> bytes:
    """Return the value of the one header of a name, in any letter case, without the spaces around it.

    Raises:
        WebhookAuthenticationError: There is none, or more than one.
        ConfigurationError: The headers are no mapping.
    """
    if not callable(getattr(headers, "items", None)):
        raise ConfigurationError(f"headers: expected a mapping, got {type(headers).__name__}")
    folded = name.lower()
    found = [value for each, value in headers.items() if _is_named(each, folded)]
    if not found:
        raise WebhookAuthenticationError(f"there is no {name} header")
    if len(found) > 1:
        raise WebhookAuthenticationError(f"there is more than one {name} header")
    (value,) = found
    if isinstance(value, str):
        # Whatever a server made of the header's bytes is encoded, one to one, and compared.
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise WebhookAuthenticationError(
            f"the {name} header is no text and no bytes, but of type {type(value).__name__}"
        )
    return value.strip(b" \t")


def _is_named(given: Any, folded: str) -> bool:
    if isinstance(given, str):
        return given.lower() == folded
    return isinstance(given, bytes) and given.lower() == folded.encode()


def is_one_of(given: bytes, tokens: tuple[Secret[bytes], ...]) -> bool:
    """Tell whether a token is one of those expected, in the same time whichever it is."""
    # Every token is compared, and to its end: the time says nothing of which one came close.
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token.reveal())
    return found
