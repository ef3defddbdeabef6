"""The tokens that webhooks carry: which may be expected, and which one a delivery has."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Any, cast

from .._privacy.secret import Secret
from ..errors import ConfigurationError, WebhookAuthenticationError

__all__ = ["checked_tokens", "is_one_of", "token_in"]

_SCHEME = re.compile(rb"bearer[ \t]+", re.IGNORECASE)
_SHORTEST_TOKEN = 8
_LONG_TOKEN = 24
"""Characters from which on a token of words or digits is not one that others have too."""
_FEWEST_CHARACTERS = 4
"""How many different ones a token has."""
_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_WELL_KNOWN = re.compile(
    "(?:secret|token|password|passwd|passphrase|pass|change|me|it|now|test|testing|tester|example|sample|demo"
    "|default|dummy|fake|placeholder|key|api|auth|authorization|bearer|credential|webhook|hook|web|callback"
    "|my|your|our|the|a|an|is|this|here|replace|insert|put|set|with|plexy|pay|merchant|shop|store|admin|root"
    "|user|guest|login|letmein|welcome|qwerty|qwertyuiop|asdfgh|abc|abcdef|abcdefgh|xyz|foo|bar|baz|none|null"
    "|undefined|todo|dev|local|localhost|staging|prod|production|live|public|private|super|top|very|good|new"
    "|old)+"
)


def checked_tokens(tokens: Any) -> tuple[Secret[bytes], ...] | str:
    """Return the tokens, or what is wrong with them, which shows none."""
    if isinstance(tokens, str):
        tokens = (tokens,)
    elif isinstance(tokens, (bytes, bytearray)) or not isinstance(tokens, Iterable):
        return (
            f"tokens: expected a string or several, got {type(tokens).__name__}; it is the token that "
            "webhooks are to carry"
        )
    checked: dict[Secret[bytes], None] = {}
    for token in cast("Iterable[Any]", tokens):
        wrong = _wrong_token(token)
        if wrong is not None:
            return f"tokens: {wrong}"
        checked[Secret(token.encode())] = None
        # The next one may raise.
        del token
    if not checked:
        return "tokens: there is none, and without one any delivery would be a forged one"
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
    if not callable(getattr(headers, "items", None)):
        raise ConfigurationError(f"headers: expected a mapping, got {type(headers).__name__}")
    found = [value for name, value in headers.items() if _is_authorization(name)]
    if not found:
        raise WebhookAuthenticationError("there is no Authorization header")
    if len(found) > 1:
        raise WebhookAuthenticationError("there is more than one Authorization header")
    (value,) = found
    if isinstance(value, str):
        # Whatever a server made of the header's bytes is encoded, one to one, and compared.
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise WebhookAuthenticationError(
            f"the Authorization header is no text and no bytes, but of type {type(value).__name__}"
        )
    value = value.strip(b" \t")
    scheme = _SCHEME.match(value)
    given = value if scheme is None else value[scheme.end() :]
    if not given:
        raise WebhookAuthenticationError("the Authorization header is empty")
    return given


def _is_authorization(name: Any) -> bool:
    if isinstance(name, str):
        return name.lower() == "authorization"
    return isinstance(name, bytes) and name.lower() == b"authorization"


def is_one_of(given: bytes, tokens: tuple[Secret[bytes], ...]) -> bool:
    """Tell whether a token is one of those expected, in the same time whichever it is."""
    # Every token is compared, and to its end: the time says nothing of which one came close.
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token.reveal())
    return found
