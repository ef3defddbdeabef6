"""What a client can be told, and where it looks when it is not told."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import attrs

from ._foreign import bare
from ._privacy.hiding import shortened, shown
from ._privacy.printable import log
from ._privacy.secret import Secret
from .api.checks import check_seconds
from .api.description import API
from .errors import ConfigurationError, PlexyPayError
from .network import (
    Proxy,
    checked_app,
    checked_default_headers,
    checked_proxy,
    context_of,
    proxy_of_environment,
)
from .observer import Observer, checked_observers
from .retry_policy import RetryPolicy

__all__ = ["APIKey", "RetryPolicy", "Settings", "concealed"]

_LONGEST_PARAMETER = 1000
_warned_of: set[str] = set()
"""The addresses that a warning has told of."""

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


def concealed(api_key: Any) -> KeySource | ConfigurationError | None:
    """Return a key that was given as the library keeps it; None where none was given.

    An error is returned, for the caller to raise it once its own arguments are gone: an error tracker shows
    the arguments of every frame that an exception passes.
    """
    if api_key is None or isinstance(api_key, ConfigurationError):
        return api_key
    if callable(api_key):
        return cast("Callable[[], str]", api_key)
    return _concealed_key(api_key, "; without it, the environment is asked")


def _concealed_key(api_key: Any, otherwise: str = "") -> Secret[str] | ConfigurationError:
    # No message here shows the key, and nothing is raised.
    key: Secret[str]
    if isinstance(api_key, Secret):
        key = cast("Secret[str]", api_key)
    elif isinstance(api_key, str):
        key = Secret(api_key)
    else:
        return ConfigurationError(f"api_key: expected a string, got {type(api_key).__name__}")
    if not key:
        return ConfigurationError(f"api_key: must not be empty{otherwise}")
    if re.fullmatch(r"[ -~]+", key.reveal()) is None:
        return ConfigurationError("api_key: has a control character or a letter outside ASCII")
    if key.reveal() != key.reveal().strip():
        return ConfigurationError("api_key: begins or ends with a space")
    return key


def check_base_url(base_url: Any) -> str:
    """Refuse what is no base URL, and return it without a slash at its end."""
    if not isinstance(base_url, str):
        raise ConfigurationError(f"base_url: expected a string, got {type(base_url).__name__}")
    if not base_url.strip():
        raise ConfigurationError("base_url: must not be empty; without it, the environment is asked")
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"base_url: {shortened(str(error), 200)}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError("base_url: expected https://HOST, such as https://api.example.com")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url: must not carry a user name or a password")
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url: must not carry a query or a fragment")
    if not host.isascii():
        raise ConfigurationError("base_url: write the host name in its ASCII form (xn--...)")
    if not parts.path.isascii() or re.search(r"[\s\x00-\x1f\\]", base_url) is not None:
        raise ConfigurationError("base_url: has a character that must be percent-encoded")
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _refuse_clear_text(base_url: str, key: KeySource, api: API, *, is_allowed: bool) -> None:
    """Refuse plain http to anywhere but this machine, unless it is allowed and the key is no live one."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or is_loopback(host):
        return
    where = f"plain http would send the API key in clear text to {shortened(host, 200)}"
    if not is_allowed:
        raise ConfigurationError(
            f"base_url: {where}; use https, or allow_http=True for a sandbox in a network of your own"
        )
    if not callable(key):
        refuse_live_key(key, api.live_keys)
    if base_url not in _warned_of:
        _warned_of.add(base_url)
        log.warning("%s, which is allowed by allow_http: for a sandbox only", where)


def refuse_live_key(key: Secret[str], beginning: str | None) -> None:
    """Refuse a key that looks like one of the API's own where it would be sent in clear text.

    Raises:
        ConfigurationError: It does.
    """
    if beginning is not None and key.reveal().startswith(beginning):
        raise ConfigurationError(
            f"api_key: it begins with {beginning} as the API's own keys do, and allow_http would send it in"
            " clear text; give the sandbox a key of its own"
        )


def chosen_base_url(given: str | None, api: API) -> str:
    """Return the base URL that was given, or the environment's, or else the vendor's own.

    Raises:
        ConfigurationError: It is none, the environment's is empty, or there is none and none is published.
    """
    if given is None:
        variable = api.base_url_variable
        given = os.environ.get(variable, api.base_url)
        if given is None:
            raise ConfigurationError(
                f"base_url: missing, and none is published for the {api.title}: pass it, or set {variable}"
            )
        if not given.strip():
            # Who has set it did not mean the vendor's own host.
            raise ConfigurationError(f"{variable} is empty: give it an address, or unset it")
    base_url = check_base_url(given)
    if api.root is not None and base_url.endswith(api.root):
        raise ConfigurationError(f"base_url: leave {api.root} out, for the paths of the {api.title} have it")
    return base_url


def chosen_parameters(given: Mapping[str, str | None] | None, api: API) -> Mapping[str, str]:
    """Return what a client is made with besides its key: each as it was given, or else the environment's.

    Raises:
        ConfigurationError: One is missing, or no text that can be part of a path.
    """
    chosen: dict[str, str] = {}
    for parameter in api.parameters:
        value: Any = (given or {}).get(parameter.name)
        if value is None:
            value = os.environ.get(parameter.variable) or None
        if value is None:
            if parameter.required:
                raise ConfigurationError(
                    f"{parameter.name}: missing; pass {parameter.name}, or set {parameter.variable}"
                )
            continue
        is_text = isinstance(value, str) and value.isprintable() and value == value.strip()
        if not is_text or value in ("", ".", "..") or len(value) > _LONGEST_PARAMETER:
            raise ConfigurationError(f"{parameter.name}: expected an id as text, got {shown(value)}")
        chosen[parameter.name] = value
    return chosen


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine."""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_paths(paths: Any, api: API) -> Mapping[str, str]:
    """Refuse overrides of operations that do not exist, or with other parameters than theirs."""
    if paths is None or paths == {}:
        return {}
    if not isinstance(paths, Mapping):
        raise ConfigurationError(f"paths: expected a mapping, got {type(paths).__name__}")
    from .api.index import every_declaration
    from .api.operation import parameters_of

    known = {declaration.name: declaration for declaration in every_declaration(api)}
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
        asked = sorted(set(parameters_of(path)) - {parameter.name for parameter in api.parameters})
        if asked != sorted(declaration.path_parameters):
            raise ConfigurationError(
                f"paths[{shown(name)}]: expected the parameters of {declaration.path}, got {shown(path)}"
            )
        checked[declaration.name] = path
    return checked


def _as_given(paths: Any) -> Any:
    # Checked once it is known which API's they are.
    return paths


def _check_seconds(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    check_seconds(field.name, value, zero=field.name == "keepalive_timeout")


def _check_count(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{field.name}: expected an int of at least 1, got {shown(value)}")


def _check_retry(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry: expected a RetryPolicy, got {type(value).__name__}")


@attrs.frozen(kw_only=True, eq=False)
class Settings:
    """The checked settings of one client; `repr` does not show the key."""

    api: API
    api_key: KeySource = attrs.field(repr=False)
    base_url: str = attrs.field(converter=check_base_url)
    timeout: float = attrs.field(default=60.0, validator=_check_seconds)
    connect_timeout: float = attrs.field(default=5.0, validator=_check_seconds)
    read_timeout: float = attrs.field(default=30.0, validator=_check_seconds)
    keepalive_timeout: float = attrs.field(default=KEPT_ALIVE, validator=_check_seconds)
    max_connections: int = attrs.field(default=100, validator=_check_count)
    max_response_size: int = attrs.field(default=LARGEST_RESPONSE, validator=_check_count)
    max_header_size: int = attrs.field(default=LONGEST_HEADER, validator=_check_count)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, validator=_check_retry)
    paths: Mapping[str, str] = attrs.field(default=None, converter=_as_given)
    parameters: Mapping[str, str] = attrs.field(factory=dict[str, str])
    trust_env: bool = attrs.field(default=False, converter=bool)
    allow_http: bool = attrs.field(default=False, converter=bool)
    proxy: Proxy | None = attrs.field(default=None, converter=checked_proxy)
    ssl: SSLContext | None = attrs.field(default=None, converter=context_of, repr=False)
    default_headers: Mapping[str, str] | None = attrs.field(
        default=None, converter=checked_default_headers, repr=False
    )
    app_info: tuple[str, str | None] | None = attrs.field(default=None, converter=checked_app)
    observers: tuple[Observer, ...] = attrs.field(default=(), converter=checked_observers, repr=False)
    key_variable: str | None = attrs.field(default=None, repr=False)
    """The environment variable that the key came from, if it did."""
    base_url_variable: str | None = attrs.field(default=None, repr=False)
    """The same of the address."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "paths", check_paths(self.paths, self.api))
        object.__setattr__(self, "retry", self.retry.of(self.api))
        checked_default_headers(self.default_headers, api=self.api)
        _refuse_clear_text(self.base_url, self.api_key, self.api, is_allowed=self.allow_http)
        if self.is_plain and self.proxy is not None:
            raise ConfigurationError("proxy: plain http would go through it in clear text; use https")

    @property
    def is_plain(self) -> bool:
        """Whether the API is at an address of plain http."""
        return self.base_url.startswith("http://")

    @property
    def way(self) -> Proxy | None:
        """The proxy that leads to the API, if one does: the one given, or else the environment's.

        Raises:
            ConfigurationError: What the environment has is none.
        """
        if self.proxy is not None or self.is_plain or not self.trust_env:
            return self.proxy
        return proxy_of_environment(urlsplit(self.base_url).hostname or "")

    @property
    def asked(self) -> str:
        """Who is asked and with whose key, for a message about a key that is refused; not the key."""
        host, where = shortened(urlsplit(self.base_url).netloc, 200), self.base_url_variable
        told = f"asked {host}" + ("" if where is None else f", which {where} names")
        return told if self.key_variable is None else f"{told}, with the key from {self.key_variable}"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Reached from a client's API groups, its bulk jobs and its iterators.
        raise TypeError(
            "what belongs to a client cannot be pickled, since its API key would be readable; make a client"
            " in the process that uses it"
        )

    @classmethod
    def of(
        cls,
        api: API,
        api_key: APIKey | ConfigurationError | None,
        *,
        base_url: str | None,
        parameters: Mapping[str, str | None] | None = None,
        **options: Any,
    ) -> Settings:
        """Check what the caller gave, and fill in from the environment what was not given.

        `api_key` is best given as `concealed` makes it, for the sake of the caller's own frame.

        Raises:
            ConfigurationError: A value is missing or unusable; the message names it.
        """
        key = concealed(api_key)
        del api_key
        key_variable = api.key_variable if key is None else None
        if key is None:
            key = concealed(os.environ.get(api.key_variable) or None)
            if key is None:
                raise ConfigurationError(f"no API key: pass api_key or set {api.key_variable}")
        if isinstance(key, ConfigurationError):
            raise key
        return cls(
            api=api,
            api_key=key,
            base_url=chosen_base_url(base_url, api),
            parameters=chosen_parameters(parameters, api),
            key_variable=key_variable,
            base_url_variable=api.base_url_variable
            if base_url is None and api.base_url_variable in os.environ
            else None,
            **options,
        )

    def changed(self, **options: Any) -> Settings:
        """Return a copy with the options of `with_options`; None leaves a setting as it is.

        Raises:
            ConfigurationError: A value is unusable.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if "api_key" in given:
            key = given["api_key"] = concealed(given["api_key"])
            if isinstance(key, ConfigurationError):
                raise key
            given["key_variable"] = None
        return attrs.evolve(self, **given)

    def current_key(self) -> Secret[str]:
        """Return the key to send now.

        Raises:
            ConfigurationError: The caller's function raised, or returned something that is no key.
        """
        source = self.api_key
        if not callable(source):
            return source
        return self._checked(self._key_from(source))

    def _checked(self, key: Secret[str]) -> Secret[str]:
        if self.is_plain and self.allow_http and not is_loopback(urlsplit(self.base_url).hostname or ""):
            refuse_live_key(key, self.api.live_keys)
        return key

    @staticmethod
    def _key_from(source: Callable[[], str]) -> Secret[str]:
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
