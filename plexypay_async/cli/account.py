"""The API key of a command, which comes from the environment, never from an argument."""

from __future__ import annotations

import os

from .._privacy.secret import Secret
from .exits import UnusableInputError

__all__ = ["ENVIRONMENT", "api_key_from_environment", "without_secret"]

API_KEY_VARIABLE = "PLEXYPAY_API_KEY"

ENVIRONMENT = """\
environment:
  PLEXYPAY_API_KEY   your API key{unless}
  PLEXYPAY_BASE_URL  the API's address, unless --base-url is given
  HTTPS_PROXY        the proxy that leads to the API, unless --proxy is given; also https_proxy, all_proxy and
                     ALL_PROXY, and NO_PROXY for hosts to which none leads, as curl takes them
"""

SHORTEST_SECRET = 4


def api_key_from_environment(otherwise: str = "") -> Secret[str]:
    """Return the API key.

    Args:
        otherwise: What else the user can do, for the message.

    Raises:
        UnusableInputError: There is none.
    """
    api_key = Secret(os.environ.get(API_KEY_VARIABLE, ""))
    if not api_key:
        raise UnusableInputError(f"no API key: set the environment variable {API_KEY_VARIABLE}{otherwise}")
    return api_key


def without_secret(text: str, secret: Secret[str]) -> str:
    """Replace the API key in a text: a server may quote the key that it refuses."""
    # So short a text is not a real key, and would be struck from other words, too.
    if len(secret.reveal()) < SHORTEST_SECRET:
        return text
    return text.replace(secret.reveal(), "[API key]")
