"""What a client can be told, and where it looks when it is not told."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import attrs

from ._foreign import bare
from ._privacy.hiding import shortened, shown
from ._privacy.secret import Secret
from .api.fields import check_seconds
from .errors import ConfigurationError, PlexyPayError

__all__ = ["DEFAULT_BASE_URL", "APIKey", "RetryPolicy", "Settings", "concealed"]

DEFAULT_BASE_URL = "https://api.plexypay.com"
API_KEY_VARIABLE = "PLEXYPAY_API_KEY"
BASE_URL_VARIABLE = "PLEXYPAY_BASE_URL"

KEPT_ALIVE = 15.0
"""Seconds that an idle connection is kept, unless told; aiohttp's own time."""
LARGEST_RESPONSE = 32 * 2**20
"""Bytes of an answer's body, decompressed; a page of a thousand links has less than one million."""
LONGEST_HEADER = 8190
"""Bytes of one header of an answer, unless told; aiohttp's own limit."""

APIKey = str | Callable[[], str] | Secret[str]
"""A key, or a function that returns the one to use now; it must not block."""
KeySource = Secret[str] | Callable[[], str]
"""The same as the library keeps it."""


def _codes(codes: Iterable[int]) -> frozenset[int]:
    try:
        return frozenset(codes)
    except TypeError:
        raise ConfigurationError(f"codes: expected error codes, got {shown(codes)}") from None


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When a call is repeated, and how long it pauses before.

    The pauses double from `base` seconds up to `cap`, each with full jitter: eight attempts pause 26 s on
    average and 52 s at most. Whether a failure may be repeated at all is the operation's replay class.

    Args:
        max_attempts: How often the operation itself is sent; 1 never repeats it. Look-ups after a lost answer
            are not counted.
        base: The first pause's upper bound, in seconds.
        cap: The upper bound of every pause, in seconds.
        codes: The API's error codes that are retried where the replay class allows.
        money_codes: The same for operations that move money, where code 2 may mean that it has moved.

    Raises:
        ConfigurationError: A value is out of range.

    Evidence: the vendor's page "API Errors" asks to retry code 1 and calls code 2 unexpected.
    """

    max_attempts: int = 8
    base: float = 0.5
    cap: float = 20.0
    codes: frozenset[int] = attrs.field(default=frozenset({1, 2}), converter=_codes)
    money_codes: frozenset[int] = attrs.field(default=frozenset({1}), converter=_codes)

    def __attrs_post_init__(self) -> None:
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise ConfigurationError(
                f"max_attempts: expected an int of at least 1, got {shown(self.max_attempts)}"
            )
        check_seconds("base", self.base, zero=True)
        check_seconds("cap", self.cap, zero=True)
        for name in ("codes", "money_codes"):
            if not all(type(code) is int for code in getattr(self, name)):
                raise ConfigurationError(f"{name}: expected error codes, which are ints")


@attrs.frozen(kw_only=True)
class Settings:
    """The checked settings of one client; `repr` does not show the key."""

    api_key: KeySource = attrs.field(repr=False)
    base_url: str
    timeout: float
    connect_timeout: float
    read_timeout: float
    keepalive_timeout: float
    max_connections: int
    max_response_size: int
    max_header_size: int
    retry: RetryPolicy
    paths: Mapping[str, str]
    trust_env: bool

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Reached from a client's API groups, its bulk jobs and its iterators.
        raise TypeError(
            "what belongs to a client cannot be pickled, since its API key would be readable; make a client"
            " in the process that uses it"
        )

    @classmethod
    def of(
        cls,
        api_key: APIKey | ConfigurationError | None,
        *,
        base_url: str | None,
        timeout: float,
        connect_timeout: float,
        read_timeout: float,
        keepalive_timeout: float = KEPT_ALIVE,
        max_connections: int,
        max_response_size: int = LARGEST_RESPONSE,
        max_header_size: int = LONGEST_HEADER,
        retry: RetryPolicy,
        paths: Mapping[str, str] | None,
        trust_env: bool,
    ) -> Settings:
        """Check what the caller gave, and fill in from the environment what was not given.

        `api_key` is best given as `concealed` makes it, for the sake of the caller's own frame.

        Raises:
            ConfigurationError: A value is missing or unusable; the message names it.
        """
        key = concealed(api_key)
        del api_key
        if key is None:
            key = concealed(os.environ.get(API_KEY_VARIABLE) or None)
            if key is None:
                raise ConfigurationError(f"no API key: pass api_key or set {API_KEY_VARIABLE}")
        if isinstance(key, ConfigurationError):
            raise key
        if base_url is None:
            base_url = os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
        return cls(
            api_key=key,
            base_url=check_base_url(base_url),
            timeout=check_seconds("timeout", timeout),
            connect_timeout=check_seconds("connect_timeout", connect_timeout),
            read_timeout=check_seconds("read_timeout", read_timeout),
            keepalive_timeout=check_seconds("keepalive_timeout", keepalive_timeout, zero=True),
            max_connections=_check_count("max_connections", max_connections),
            max_response_size=_check_count("max_response_size", max_response_size),
            max_header_size=_check_count("max_header_size", max_header_size),
            retry=_check_retry(retry),
            paths=check_paths(paths or {}),
            trust_env=bool(trust_env),
        )

    def changed(self, **options: Any) -> Settings:
        """Return a copy with the options of `with_options`; None leaves a setting as it is.

        Raises:
            ConfigurationError: A value is unusable.
        """
        if options.get("api_key") is not None:
            options["api_key"] = concealed(options["api_key"])
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            given[name] = _CHECKS[name](value)
        return attrs.evolve(self, **given)

    def current_key(self) -> Secret[str]:
        """Return the key to send now.

        Raises:
            ConfigurationError: The caller's function raised, or returned something that is no key.
        """
        source = self.api_key
        if not callable(source):
            return source
        try:
            found = _concealed_key(source())
        except Exception as error:  # noqa: BLE001 - the caller's function may raise anything
            told = f": {error}" if isinstance(error, PlexyPayError) else ""
            raise ConfigurationError(
                f"api_key: the function that returns it raised {type(error).__name__}{told}"
            ) from bare(error)
        if isinstance(found, ConfigurationError):
            raise found
        return found


def concealed(api_key: Any) -> KeySource | ConfigurationError | None:
    """Return a key that was given as the library keeps it; None where none was given.

    An error is returned, for the caller to raise it once its own arguments are gone: an error tracker shows
    the arguments of every frame that an exception passes.
    """
    if api_key is None or isinstance(api_key, ConfigurationError):
        return api_key
    return cast("Callable[[], str]", api_key) if callable(api_key) else _concealed_key(api_key)


def _concealed_key(api_key: Any) -> Secret[str] | ConfigurationError:
    # No message here shows the key, and nothing is raised.
    key: Secret[str]
    if isinstance(api_key, Secret):
        key = cast("Secret[str]", api_key)
    elif isinstance(api_key, str):
        key = Secret(api_key)
    else:
        return ConfigurationError(f"api_key: expected a string, got {type(api_key).__name__}")
    if not key:
        return ConfigurationError("api_key: must not be empty")
    if re.fullmatch(r"[ -~]+", key.reveal()) is None:
        return ConfigurationError("api_key: has a control character or a letter outside ASCII")
    if key.reveal() != key.reveal().strip():
        return ConfigurationError("api_key: begins or ends with a space")
    return key


def check_base_url(base_url: Any) -> str:
    """Refuse what is no base URL, and plain http to anywhere but this machine."""
    if not isinstance(base_url, str):
        raise ConfigurationError(f"base_url: expected a string, got {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"base_url: {shortened(str(error), 200)}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError("base_url: expected https://HOST, such as " + DEFAULT_BASE_URL)
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url: must not carry a user name or a password")
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url: must not carry a query or a fragment")
    if not host.isascii():
        raise ConfigurationError("base_url: write the host name in its ASCII form (xn--...)")
    if not parts.path.isascii() or re.search(r"[\s\x00-\x1f\\]", base_url) is not None:
        raise ConfigurationError("base_url: has a character that must be percent-encoded")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"base_url: plain http would send the API key in clear text to {shortened(host, 200)}; use https"
        )
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_paths(paths: Any) -> Mapping[str, str]:
    """Refuse overrides of operations that do not exist, or with other parameters than theirs."""
    if not isinstance(paths, Mapping):
        raise ConfigurationError(f"paths: expected a mapping, got {type(paths).__name__}")
    if not paths:
        return {}
    from .api.index import every_declaration
    from .api.operation import parameters_of

    known = {declaration.name: declaration for declaration in every_declaration()}
    checked: dict[str, str] = {}
    for name, path in cast("Mapping[Any, Any]", paths).items():  # type: ignore[redundant-cast]
        declaration = known.get(name)
        if declaration is None:
            raise ConfigurationError(
                f"paths: there is no operation {shown(name)}; known are {', '.join(sorted(known))}"
            )
        if not isinstance(path, str) or not path.startswith("/") or not re.fullmatch(r"[!-~]+", path):
            raise ConfigurationError(
                f"paths[{shown(name)}]: expected a path such as {declaration.path}, got {shown(path)}"
            )
        if sorted(parameters_of(path)) != sorted(declaration.path_parameters):
            raise ConfigurationError(
                f"paths[{shown(name)}]: expected the parameters of {declaration.path}, got {shown(path)}"
            )
        checked[declaration.name] = path
    return checked


def _check_count(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name}: expected an int of at least 1, got {shown(value)}")
    return value


def _check_retry(retry: Any) -> RetryPolicy:
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError(f"retry: expected a RetryPolicy, got {type(retry).__name__}")
    return retry


def _api_key(value: Any) -> Any:
    if isinstance(value, ConfigurationError):
        raise value
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "api_key": _api_key,
    "timeout": partial(check_seconds, "timeout"),
    "read_timeout": partial(check_seconds, "read_timeout"),
    "retry": _check_retry,
    "paths": check_paths,
}
