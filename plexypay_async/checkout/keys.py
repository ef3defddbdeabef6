"""The idempotency key of a request, as the Checkout API takes it."""

from __future__ import annotations

import re
from typing import Any

from ..api.fields import check_text
from ..errors import ConfigurationError

__all__ = ["LONGEST_KEY", "check_key"]

LONGEST_KEY = 255
"""Characters. Evidence: published."""
# A header's value loses the spaces at its ends on the way.
_HEADER_TEXT = re.compile(r"[!-~]([ -~]*[!-~])?")


def check_key(value: Any) -> None:
    """Refuse an idempotency key that the API does not take, or that a header cannot carry as it is."""
    check_text("idempotency_key", value)
    if len(value) > LONGEST_KEY:
        raise ConfigurationError(
            f"idempotency_key: has {len(value)} characters; the API takes {LONGEST_KEY} at the most"
        )
    if _HEADER_TEXT.fullmatch(value) is None:
        raise ConfigurationError(
            f"idempotency_key: expected printable ASCII without spaces at its ends, got {value!r:.60}"
        )
