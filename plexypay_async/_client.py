"""What both clients have in common: their options, and what they share with clients derived from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ._core.execution import Execution
from ._core.retry_budget import RetryBudget
from ._foreign import prepared, retold, spelling_told
from ._http.transport import HTTPTransport
from ._privacy.hiding import hiding_arguments, without_own_frames
from .api.facades import F
from .api.operation import Caller
from .errors import CLIENT_CLOSED, ConfigurationError, PlexyPayError
from .groups import Groups
from .logs import log_as_environment_says
from .settings import APIKey, RetryPolicy, Settings, concealed

if TYPE_CHECKING:
    from ._http import ClientSession

__all__ = ["Client", "taking_options", "with_forms"]

T = TypeVar("T")


def _of_the_constructor(client: object) -> Mapping[str, str]:
    made = type(client).__name__
    return {name: f"only {made}({name}=...) takes it" for name in _options_of(type(client)).parameters}


def _options_of(kind: type[Any]) -> inspect.Signature:
    """Return what a client is made with, the options that all clients take by their names too."""
    from .options import ClientOptions

    given = list(inspect.signature(kind).parameters.values())
    own = [each for each in given if each.kind is not each.VAR_KEYWORD]
    if len(own) < len(given):
        names = ClientOptions.__annotations__
        own += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in names]
    return inspect.Signature(own)


def taking_options(kind: type[T]) -> type[T]:
    """Let a client's constructor say what a misspelt option may be, and no traceback hold its arguments."""

    def told(error: BaseException) -> None:
        without_own_frames(error)
        if type(error) is TypeError:
            retold(error, kind.__name__, _options_of(kind))

    return hiding_arguments(kind, told)


class Dressing(Protocol):
    """What is bound to a client as a call, such as a declaration."""

    @property
    def name(self) -> str:
        """What messages call it, such as ``payment_links.create``."""
        ...

    def dress(self, call: Callable[..., Any], owner: str) -> None:
        """Give a call the name, the parameters and the docstring that it is to have."""
        ...


class Client(Groups[F]):
    """A client of either kind."""

    _execution: Execution
    _derived: bool

    def _begin(
        self,
        api_key: APIKey | None,
        session: ClientSession | None = None,
        **options: Any,
    ) -> None:
        """Check the options, and make what the client's calls share.

        Raises:
            ConfigurationError: A value is missing or unusable; the message names it.
        """
        log_as_environment_says()
        settings = prepared(Settings.of, self.api, api_key, **options)
        budget = RetryBudget(settings.retry.max_attempts, settings.max_connections)
        self._use(Execution(settings, HTTPTransport(settings, session), budget), derived=False)

    def _use(self, execution: Execution, *, derived: bool) -> None:
        self._execution = execution
        self._derived = derived
        self._caller = self._caller_of(execution)

    def _caller_of(self, execution: Execution) -> Caller:
        """Return what turns declarations into the functions of this kind of client."""
        raise NotImplementedError

    def _refuse_if_closed(self) -> None:
        """Refuse to begin a block of a client that takes no calls any more.

        Raises:
            ConfigurationError: The client is closed.
        """
        if self._execution.transport.closed:
            raise ConfigurationError(CLIENT_CLOSED)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._execution.settings.base_url}>"

    @spelling_told(_of_the_constructor)
    def with_options(
        self,
        *,
        api_key: APIKey | None = None,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options on the same connections and the same retry budget.

        Closing the returned client does nothing; closing this one closes both. What a subclass has set on
        this one is on the returned one too; `__init__` is not called.

        Args:
            api_key: Another key, or a function that returns one.
            timeout: Seconds for a whole call.
            read_timeout: Seconds of silence after which an attempt is given up.
            retry: When and how often calls are repeated.
            paths: Other paths for operations, in place of this client's.

        Raises:
            ConfigurationError: A value is unusable.
        """
        key = concealed(api_key)
        del api_key
        settings = prepared(
            self._execution.settings.changed,
            api_key=key,
            timeout=timeout,
            read_timeout=read_timeout,
            retry=retry,
            paths=paths,
        )
        client = self._twin()
        client._use(self._execution.derived(settings), derived=True)
        return client

    @property
    def is_sandbox(self) -> bool | None:
        """Whether what answers is a sandbox: no money moves there. None before the first answer.

        Evidence: the `Sandbox` of this library says so in a header of every answer.
        """
        return self._execution.transport.is_sandbox

    @property
    def failing(self) -> PlexyPayError | None:
        """The latest failure, where nothing has worked since and its call or its row will be tried again.

        So a program can tell why a bulk job does not get on before the time of its rows is over. None after
        a success, and where nothing has failed.
        """
        budget = self._execution.budget
        bucket = budget if budget.failures_on_end else budget.jobs
        return bucket.latest_failure if bucket.failures_on_end else None


_DERIVED = r"^with_forms\.<locals>\.derived\(\)"


def with_forms(
    call: Callable[..., Any],
    declared: Dressing,
    execution: Execution,
    bind: Callable[[Execution], Callable[..., Any]],
    with_response: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Give a bound call what it can do besides being called; see `AsyncCall`.

    Args:
        call: The call.
        declared: What it is bound to.
        execution: What performs it.
        bind: Binds the same to another execution.
        with_response: What it is by `with_response`, if it has that.
    """

    def derived(
        *,
        timeout: float | None = None,
        read_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Callable[..., Any]:
        return bind(
            prepared(execution.of_one_call, headers, timeout=timeout, read_timeout=read_timeout, retry=retry)
        )

    def with_options(*args: Any, **options: Any) -> Callable[..., Any]:
        try:
            other = derived(*args, **options)
        except BaseException as error:
            without_own_frames(error)
            if type(error) is TypeError:
                retold(error, f"{declared.name}.with_options", inspect.signature(derived), written=_DERIVED)
            raise
        declared.dress(other, call.__qualname__.partition(".")[0])
        return other

    forms: Any = call
    with_options.__wrapped__ = derived  # type: ignore[attr-defined]
    forms.with_options = with_options
    if with_response is not None:
        forms.with_response = with_response
    return call
