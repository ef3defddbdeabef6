"""Declarations only: what an API operation is, said once.

Both facades, the sandbox, the command line and the operations table of the docs are derived from these
declarations. Nothing here does I/O, and nothing here knows cattrs or aiohttp.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, ParamSpec, Protocol, Self, TypeVar, overload

from .._composed_docs import ComposedDoc, first_paragraph, section, written_doc
from .calls import (
    AsyncBulkCall,
    AsyncCall,
    AsyncListingCall,
    AsyncWaitCall,
    CallOnTheClass,
    SignatureOfCall,
    SyncBulkCall,
    SyncCall,
    SyncListingCall,
    SyncWaitCall,
)
from .description import API
from .facades import Async, F, Sync
from .replay import Replay
from .settling import SettledBy

__all__ = [
    "Answer",
    "Bulk",
    "Confirmation",
    "Evidence",
    "Listing",
    "LookUp",
    "Operation",
    "Resource",
    "Wait",
    "one_of",
    "optionally",
]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")


class Evidence(enum.Enum):
    """How well an operation's method and path are known."""

    PUBLISHED = "published"
    """Published by the vendor for the API as it is."""
    OBSERVED = "observed"
    """Sent and received by merchants' production code today."""
    VENDOR_CODE = "vendor_code"
    """In the vendor's own programs, such as its browser SDK, and in no page of its docs."""
    LEGACY = "legacy"
    """From the vendor's 2023 docs of the same host and paths."""
    ASSUMED = "assumed"
    """By analogy: the vendor's page exists, its body could not be read."""


class Answer(NamedTuple, Generic[R]):
    """How an answer is read: as `model`, or as None where `known_by` (a wire key) is not in it.

    With `chosen`, the answer may also be a list or a page: it is read as the one that `chosen` takes from it
    for a request, whose `raw` is then the whole answer. Where that takes none, nothing was found.
    """

    model: type[Any]
    known_by: str | None = None
    chosen: Callable[[Any, Sequence[Any]], Any] | None = None


def optionally(model: type[T], *, known_by: str) -> Answer[T | None]:
    """Declare an answer that may be empty: the call then returns None."""
    return Answer(model, known_by=known_by)


def one_of(model: type[T], *, chosen: Callable[[Any, Sequence[T]], T | None]) -> Answer[T]:
    """Declare an answer that may hold several, of which the call returns the chosen one."""
    return Answer(model, chosen=chosen)


class LookUp(Generic[T]):
    """How to find what a create with an unknown outcome has made, if it has made anything.

    `find` asks by the request's field `by`. What it finds must have the `same` fields as the request, and be
    in none of the `dead` states, which nothing that was just created is in. `listing` gives something known
    to exist, with which the path of `find` is tried; `retrieve` reads the whole of a listed item.
    """

    def __init__(
        self,
        find: Operation[..., Any],
        *,
        by: str,
        same: tuple[str, ...],
        dead: tuple[str, ...],
        listing: Listing[..., Any],
        retrieve: Operation[..., Any],
    ) -> None:
        self.find = find
        self.by = by
        self.same = same
        self.dead = dead
        self.listing = listing
        self.retrieve = retrieve


class Confirmation:
    """How reading the resource tells whether a call has worked: its `attribute` is as `wanted`.

    It is read after a repeat that was answered with a 4xx, and after a success status that says nothing. A
    resource never leaves a `final` state, so the call cannot work any more; `before` is its state until then.
    An answer without the `short` fields, which are texts, has the form of a listing: it suffices where the
    resource cannot be read.
    """

    def __init__(
        self,
        retrieve: Operation[..., Any],
        *,
        attribute: str,
        wanted: str,
        before: str,
        final: tuple[str, ...],
        short: tuple[str, ...] = (),
    ) -> None:
        self.short = short
        self.retrieve = retrieve
        self.attribute = attribute
        self.wanted = wanted
        self.before = before
        self.final = final

    def misfit(self, answer: Any) -> str | None:
        """Tell that an answer shows the resource in another state, as an answer to another request may."""
        state = getattr(answer, self.attribute)
        if state == self.before or state in self.final:
            return f"{self.attribute} {str(state)!r} instead of {self.wanted!r}"
        return None


class Caller(Protocol):
    """What a client gives its resources: a way to turn a declaration into a call."""

    def bind(self, operation: Operation[..., Any]) -> Callable[..., Any]:
        """Return the function that performs `operation`."""
        ...

    def bind_listing(self, listing: Listing[..., Any]) -> Callable[..., Any]:
        """Return the function that opens `listing`."""
        ...

    def bind_bulk(self, bulk: Bulk[..., ..., Any]) -> Callable[..., Any]:
        """Return the function that starts `bulk`."""
        ...

    def bind_wait(self, wait: Wait[..., Any]) -> Callable[..., Any]:
        """Return the function that waits as `wait` says."""
        ...

    def bind_ensured(self, ensured: Ensured[..., Any]) -> Callable[..., Any]:
        """Return the function that performs an operation, or finds what an earlier call of it has made."""
        ...


class Resource(Generic[F]):
    """A group of operations of one client.

    Its name on a client is its class' name, such as ``payment_links`` for ``PaymentLinks``, unless the class
    body gives `group`.
    """

    group: ClassVar[str]
    api: ClassVar[API]
    """The API that it is of."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        # Not under their own names: a test may put something in the place of the class' attribute.
        self._bound: dict[Declared[...], Callable[..., Any]] = {}

    def __init_subclass__(cls, *, api: API | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.group = group_name(cls)
        if isinstance(written := vars(cls)["__doc__"], str):
            cls.__doc__ = ComposedDoc(written, of_object=_calls_of)  # type: ignore[assignment]
        if api is not None:
            cls.api = api
            for declared in vars(cls).values():
                if isinstance(declared, Declared):
                    declared.api = api

    def __repr__(self) -> str:
        return f"<{self.group} of {self._caller!r}>"


def _calls_of(group: type[Any]) -> str:
    """Return what each call of a group does, for `help()` of a client's group."""
    members = vars(group).items()
    calls = {name: member.sentence for name, member in members if isinstance(member, Declared)}
    return section("Calls, each with a help() of its own", calls)


def group_name(owner: type) -> str:
    """Return the group's name on a client: ``PaymentLinks`` is ``payment_links``."""
    given = vars(owner).get("group")
    return str(given) if given is not None else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", owner.__name__).lower()


class _CallDoc(ComposedDoc):
    """The docstring of what declares calls; of one that it declares, what `help()` of the call tells."""

    def __get__(self, instance: Any, owner: type[Any]) -> str:
        return self.written if instance is None else instance.documented()


class Declared(Generic[P]):
    """What the class of a group declares, and a client's group has as a method."""

    name: str
    """The full name, such as ``payment_links.create``."""
    api: API
    """The API that it is of."""

    def __init__(self, parameters: Callable[P, Any]) -> None:
        self._parameters = parameters

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(written := vars(cls).get("__doc__"), str):
            cls.__doc__ = _CallDoc(written)  # type: ignore[assignment]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"{group_name(owner)}.{name}"
        self._attribute = name

    def __repr__(self) -> str:
        return f"<{self.name}>"

    __call__ = CallOnTheClass()
    __signature__ = SignatureOfCall()

    @property
    def sentence(self) -> str:
        """What the call does."""
        return first_paragraph(self._parameters)

    def documented(self) -> str:
        """Return the docstring of the call, with its parameters, for `help()` of what the class has."""
        taken = inspect.signature(self._parameters).parameters.values()
        shown = inspect.Signature([each.replace(annotation=each.empty) for each in taken])
        return f"client.{self.name}{shown}\n\n{inspect.cleandoc(written_doc(self._parameters))}"

    @property
    def parameters(self) -> Sequence[str]:
        """The names of the bound call's parameters."""
        return list(self.signature.parameters)

    @property
    def signature(self) -> inspect.Signature:
        """The bound call's parameters."""
        return inspect.signature(self._parameters)

    def _returned(self, call: Callable[..., Any]) -> str:
        """Return what the bound call's signature says that it returns."""
        return str(call.__annotations__["return"])

    def _parameters_of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the class whose constructor's parameters a bound call has."""
        return self._parameters

    def _method(self, instance: Resource[Any], call: Callable[..., Any]) -> Callable[..., Any]:
        """Make a call look like a method with the parameters and the docstring of its request class, once."""
        self.dress(call, type(instance).__name__)
        instance._bound[self] = call  # pyright: ignore[reportPrivateUsage]
        return call

    def dress(self, call: Callable[..., Any], owner: str) -> None:
        """Give a call the name, the parameters and the docstring that this declares."""
        takes = self._parameters_of(call)
        signature = inspect.signature(takes)
        call.__name__ = self._attribute
        call.__qualname__ = f"{owner}.{self._attribute}"
        call.__doc__ = takes.__doc__
        call.__signature__ = signature.replace(return_annotation=self._returned(call))  # type: ignore[attr-defined]


class Declaration(Declared[P]):
    """What an operation and a listing have in common."""

    look_up: LookUp[Any] | None = None
    confirmation: Confirmation | None = None
    reads: bool
    """Whether it changes nothing, and its answer is read as it is."""
    deletes = False
    """Whether it is done when the resource is not there, so that a repeat may find nothing."""
    key: str | None = None
    settled_by: SettledBy | None = None
    notes: Mapping[int, str] = MappingProxyType({})
    """What can be done about an error of the API, by the code that its class stands for."""
    fallback: str | None = None
    """The operation that finds the same by the same parameters, asked where an assumed path answers 404."""
    identity: str | None
    echoes: Mapping[str, tuple[str, ...]]
    """For fields of the request, the fields of the answer that name the same thing, if they name any."""

    def __init__(
        self,
        method: str,
        path: str,
        request: Callable[P, Any],
        evidence: Evidence,
        replay: Replay,
        echoes: Mapping[str, str | tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(request)
        self.method = method
        self.reads = method == "GET"
        self.path = path
        self.request = request
        self.evidence = evidence
        self.replay = replay
        own: Any = getattr(request, "__attrs_attrs__", None)
        names = None if own is None else {field.name for field in own}
        self.path_parameters: tuple[str, ...] = tuple(
            name for name in parameters_of(path) if names is None or name in names
        )
        """The request's fields that go to the path; others in it are the client's own."""
        self.echoes = {
            asked: (named,) if isinstance(named, str) else named for asked, named in (echoes or {}).items()
        }
        self.identity = next((asked for asked in self.echoes if asked not in ("amount", "currency")), None)
        """The request's field that no other request has alike, where an answer names it."""
        self.asked: Callable[[Any], Any] = attrgetter(*self.echoes) if self.echoes else _nothing
        self.named: Callable[[Any], Any] = (
            attrgetter(*(named[0] for named in self.echoes.values())) if self.echoes else _nothing
        )

    @property
    def root(self) -> str:
        """What its path begins with."""
        return "/" + self.path.split("/")[1]

    def misfit(self, request: Any, answer: Any) -> str | None:
        """Tell what an answer names that is not what was asked for; None where it fits.

        It may be the answer to another request: a proxy that sends an answer twice is one answer behind on
        that connection from then on.
        """
        if answer is None:
            return None
        for asked, fields in self.echoes.items():
            wanted = getattr(request, asked)
            if wanted is None:
                continue
            named: list[Any] = []
            for field in fields:
                found = getattr(answer, field)
                if found == wanted or (asked == "currency" and _folded(found) == _folded(wanted)):
                    break
                if found is not None:
                    named.append(found)
            else:
                if named:
                    return f"{fields[0]} {named[0]!r} instead of {wanted!r}"
        return None if self.confirmation is None else self.confirmation.misfit(answer)

    def flaw(self, answer: Any) -> str | None:
        """Tell which of the fields that name what was asked for says nothing, such as a negative amount."""
        names = [field for fields in self.echoes.values() for field in fields]
        return answer.flaw(names) if names else None

    def __repr__(self) -> str:
        return f"<{self.name}: {self.method} {self.path}>"


class Operation(Declaration[P], Generic[P, R]):
    """One API operation: its HTTP call, its request and answer, and what is safe after a failure.

    `request` is the request class; its constructor's signature is the bound call's. Fields named in `path`
    go there; the others go to the body of a POST, PUT or PATCH and to the query of a GET or DELETE.

    `key` is the request's field with the idempotency key, for `Replay.SAME_KEY`. `settled_by` names the
    calls that tell what became of an unknown outcome. `fallback` is the full name of the operation of better
    evidence that is asked where this one's assumed path answers 404. `echoes` names the answer's fields that
    must be as the request's, where the answer has them. Where money moves or a key is sent, an answer that
    says ``success: false`` is a refusal, unless the model's property `pending` says that it is not finished.
    `created` says how well it is known that a success may be answered with 201; any 2xx is one to a client.
    A request that is `bodiless` has no body by what is published. One that `reads` changes nothing, though it
    is a POST: its answer needs no proof that work was done. `notes` says what can be done about an error of
    the API, by the code that the error's class stands for.
    """

    def __init__(
        self,
        method: str,
        path: str,
        request: Callable[P, Any],
        answer: type[R] | Answer[R],
        *,
        evidence: Evidence,
        replay: Replay | None = None,
        look_up: LookUp[R] | None = None,
        confirmation: Confirmation | None = None,
        key: str | None = None,
        settled_by: SettledBy | None = None,
        pending: str | None = None,
        fallback: str | None = None,
        echoes: Mapping[str, str | tuple[str, ...]] | None = None,
        created: Evidence | None = None,
        bodiless: bool = False,
        reads: bool = False,
        notes: Mapping[int, str] | None = None,
    ) -> None:
        if replay is None:
            if method == "POST" and not reads:
                raise TypeError(f"POST {path}: a replay class must be given")
            replay = Replay.SAFE
        if replay.same_key != (key is not None):
            raise TypeError(f"{method} {path}: an idempotency key goes with Replay.SAME_KEY")
        super().__init__(method, path, request, evidence, replay, echoes)
        self.answer: Answer[R] = answer if isinstance(answer, Answer) else Answer(answer)
        self.look_up = look_up
        self.confirmation = confirmation
        self.deletes: bool = method == "DELETE" and confirmation is None and self.answer.known_by is not None
        self.key = key
        self.settled_by = settled_by
        self.pending = pending
        self.fallback = fallback
        self.created = created
        self.bodiless = bodiless
        self.reads = self.reads or reads
        if notes is not None:
            self.notes = notes

    def _returned(self, call: Callable[..., Any]) -> str:
        return self.answer.model.__name__ + (" | None" if self.answer.known_by is not None else "")

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Async], owner: type) -> AsyncCall[P, R]: ...
    @overload
    def __get__(self, instance: Resource[Sync], owner: type) -> SyncCall[P, R]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        bound = instance._bound.get(self)  # pyright: ignore[reportPrivateUsage]
        return self._method(instance, instance._caller.bind(self)) if bound is None else bound  # pyright: ignore[reportPrivateUsage]


class Listing(Declaration[P], Generic[P, T]):
    """One paged GET: its call returns pages, which fetch themselves while they are read.

    One that is not `paged` is asked for without a page, and its answer is all there is.
    """

    def __init__(
        self, path: str, request: Callable[P, Any], item: type[T], *, evidence: Evidence, paged: bool = True
    ) -> None:
        super().__init__("GET", path, request, evidence, Replay.SAFE)
        self.item = item
        self.paged = paged

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Async], owner: type) -> AsyncListingCall[P, T]: ...
    @overload
    def __get__(self, instance: Resource[Sync], owner: type) -> SyncListingCall[P, T]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        bound = instance._bound.get(self)  # pyright: ignore[reportPrivateUsage]
        return self._method(instance, instance._caller.bind_listing(self)) if bound is None else bound  # pyright: ignore[reportPrivateUsage]


class Composite(Declared[P], Generic[P, T]):
    """A call made of several operations.

    `options` is a class whose constructor's signature is the bound call's.
    """

    def __init__(self, options: Callable[P, Any], result: type[T]) -> None:
        super().__init__(options)
        self.options = options
        self.result = result


class Bulk(Composite[P, T], Generic[P, Q, T]):
    """A call that performs an operation for each of many requests, and yields a result for each.

    `sync_options` is what `options` is on a sync client, which reads no async iterable.
    """

    def __init__(self, options: Callable[P, Any], result: type[T], *, sync_options: Callable[Q, Any]) -> None:
        super().__init__(options, result)
        self.sync_options = sync_options

    def _parameters_of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return self.options if self._returned(call).startswith("Async") else self.sync_options

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Async], owner: type) -> AsyncBulkCall[P, T]: ...
    @overload
    def __get__(self, instance: Resource[Sync], owner: type) -> SyncBulkCall[Q, T]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        bound = instance._bound.get(self)  # pyright: ignore[reportPrivateUsage]
        return self._method(instance, instance._caller.bind_bulk(self)) if bound is None else bound  # pyright: ignore[reportPrivateUsage]


class Single(Composite[P, R]):
    """A composite call that returns one result."""

    def _returned(self, call: Callable[..., Any]) -> str:
        return self.result.__name__

    def _bind(self, caller: Caller) -> Callable[..., Any]:
        """Return the function that a client makes of it."""
        raise NotImplementedError

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Async], owner: type) -> AsyncWaitCall[P, R]: ...
    @overload
    def __get__(self, instance: Resource[Sync], owner: type) -> SyncWaitCall[P, R]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        if instance is None:
            return self
        bound = instance._bound.get(self)  # pyright: ignore[reportPrivateUsage]
        return self._method(instance, self._bind(instance._caller)) if bound is None else bound  # pyright: ignore[reportPrivateUsage]


class Wait(Single[P, R]):
    """A call that polls until something has come about, and returns it."""

    def _bind(self, caller: Caller) -> Callable[..., Any]:
        return caller.bind_wait(self)


class Ensured(Single[P, R]):
    """A call that performs an operation, or returns what an earlier call of it has made."""

    def __init__(self, operation: Operation[..., R], options: Callable[P, Any]) -> None:
        super().__init__(options, operation.answer.model)
        self.operation = operation

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Async], owner: type) -> AsyncCall[P, R]: ...
    @overload
    def __get__(self, instance: Resource[Sync], owner: type) -> SyncCall[P, R]: ...
    def __get__(self, instance: Resource[Any] | None, owner: type) -> Any:
        return super().__get__(instance, owner)

    def _bind(self, caller: Caller) -> Callable[..., Any]:
        return caller.bind_ensured(self)


def _nothing(_: Any) -> None:
    return None


def _folded(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def parameters_of(path: str) -> tuple[str, ...]:
    """Return the names between braces in a path template, in their order."""
    return tuple(re.findall(r"\{(\w+)\}", path))


def declarations(group: type[Resource[Any]]) -> Mapping[str, Declaration[...]]:
    """Return the operations and listings of one API group by attribute name."""
    return {name: value for name, value in vars(group).items() if isinstance(value, Declaration)}
