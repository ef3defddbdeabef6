"""When and how often calls are repeated, as a client or one of its calls is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs

from ._privacy.hiding import shown
from .api.checks import check_seconds
from .api.description import API
from .errors import ConfigurationError

__all__ = ["RetryPolicy"]


def _codes(codes: Iterable[int] | None) -> frozenset[int] | None:
    try:
        return None if codes is None else frozenset(codes)
    except TypeError:
        raise ConfigurationError(f"codes: expected error codes, got {shown(codes)}") from None


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When a call is repeated, and how long it pauses before.

    The pauses double from `base` seconds up to `cap`, each with full jitter: eight attempts pause 26 s on
    average and 52 s at most. Whether a failure may be repeated at all is the operation's replay class.

    Where everything that a client sends has failed for two seconds, five times on end and as often as it has
    requests under way (or fifty times, however soon), its single calls stop asking: two a second go out as
    probes, and the first answer that shows that the server works, a 404 too, lets the others go on. A call
    that its `timeout` ends has failed so too, if it heard nothing for two seconds. Bulk jobs always wait so,
    by what their own requests have met.

    Args:
        max_attempts: How often the operation itself is sent; 1 never repeats it. Look-ups after a lost answer
            are not counted, nor are attempts that fail in an outage, which the call's `timeout` bounds.
        base: The first pause's upper bound, in seconds.
        cap: The upper bound of every pause, in seconds.
        codes: The API's error codes that are retried where the replay class allows; of an API that has none,
            HTTP statuses. Unless given the API's own: 1 and 2 of the Pay API, else 500, 502, 503 and 504.
        money_codes: The same for operations that move money, where code 2 may mean that it has moved: 1
            alone of the Pay API unless given.
        outage: What single calls do in an outage. ``"wait"``: they wait within their `timeout`, as for any
            other pause; who wants an answer sooner gives less of it. So an outage of half a minute loses no
            call, and it is the default since a payment that is late is worth more than one that failed.
            ``"fail"``: a call that would be repeated raises its last error at once, and a new one
            `OutageError`, save two a second. A call with a lost answer waits even so, until a look-up has
            told what became of it.

    Raises:
        ConfigurationError: A value is out of range.

    Evidence: the vendor's page "API Errors" asks to retry code 1 and calls code 2 unexpected.
    """

    max_attempts: int = 8
    base: float = 0.5
    cap: float = 20.0
    codes: frozenset[int] | None = attrs.field(default=None, converter=_codes)
    money_codes: frozenset[int] | None = attrs.field(default=None, converter=_codes)
    outage: Literal["wait", "fail"] = "wait"

    def __attrs_post_init__(self) -> None:
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise ConfigurationError(
                f"max_attempts: expected an int of at least 1, got {shown(self.max_attempts)}"
            )
        check_seconds("base", self.base, zero=True)
        check_seconds("cap", self.cap, zero=True)
        for name in ("codes", "money_codes"):
            if not all(type(code) is int for code in getattr(self, name) or ()):
                raise ConfigurationError(f"{name}: expected error codes, which are ints")
        if self.outage not in ("wait", "fail"):
            raise ConfigurationError(f'outage: expected "wait" or "fail", got {shown(self.outage)}')

    def of(self, api: API) -> RetryPolicy:
        """Return the policy with the codes of an API where it has none of its own."""
        if self.codes is not None and self.money_codes is not None:
            return self
        return attrs.evolve(
            self,
            codes=api.repeated if self.codes is None else self.codes,
            money_codes=api.repeated_with_money if self.money_codes is None else self.money_codes,
        )
