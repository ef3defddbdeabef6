"""Between objects and the wire: a request object to a wire request, a wire response to a model.

No I/O. A field of the wrong type is an `UnreadableResponseError`. Imported with a client's first call, so
that importing the client stays cheap.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

import attrs
import orjson

from ..api.fields import Request, key_of_list, listed_in, wire_name, wire_names
from ..api.operation import Answer, Listing, Operation
from ..errors import ConfigurationError, NotFoundError, Outcome, RefusedError, UnreadableResponseError
from ..pagination import PageBody
from .api_errors import (
    LARGEST_ERROR,
    LONGEST_MESSAGE,
    code_in,
    hidden_text,
    is_error_object,
    is_typed,
    message_in,
    no_answer,
    part_of,
    refuses_work,
)
from .converter import Structure, as_object, converter, each, integer, reason, rows_of, unwrapped
from .encoder import RequestEncoder
from .messages import (
    NO_CONTENT,
    SHOWN,
    WireRequest,
    WireResponse,
    as_written,
    check_empty,
    decode_json,
    has_long_number,
    read_exactly,
    read_json,
    read_otherwise,
    unreadable,
    with_evidence,
)
from .targets import query_of

__all__ = ["ListingCodec", "OperationCodec"]

R = TypeVar("R")
T = TypeVar("T")

ACCEPTED = 202
_FIELDS_OF_PAGE = 4
"""The items, and the numbers of the page, of items on it, and of all items."""
LONGEST_PROOF = 2**16
"""So many bytes of an answer that cannot be read are looked through for a proof."""
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)
_FIELDS = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*")\s*:\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*(?=[,}\s])|true\b|false\b|)',
    re.DOTALL,
)
"""Fields of an object with their values, where these are whole."""
_SCALARS = frozenset((str, int, float, Decimal))


class OperationCodec(Generic[R]):
    """Encodes the requests and decodes the answers of one operation."""

    def __init__(
        self,
        operation: Operation[..., R],
        path: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.name: str = operation.name
        self._form = operation.api.errors
        self._telling = self._form.telling
        """Names with which an answer may say something else than that the work was done."""
        self._encoder = RequestEncoder(operation, operation.path if path is None else path, parameters)
        self.encode = self._encoder.encode
        answer: Answer[R] = operation.answer
        self._model = answer.model
        self._may_be_empty = answer.known_by is not None
        self._structure: Structure = converter.get_structure_hook(answer.model)
        if answer.model.told_by:
            self._structure = _telling(self._structure, answer.model.told_by)
        self.chosen = answer.chosen
        """What takes one of several in an answer, where it may have several: see `of`."""
        self._reads = operation.reads
        self._moves_money = operation.replay.moves_money
        self._may_refuse = operation.replay.moves_money or operation.replay.same_key
        self._unread = Outcome.DONE if self._reads else Outcome.UNKNOWN
        self._names_key = operation.key in operation.echoes
        self._pending = operation.pending
        fields: Mapping[str, attrs.Attribute[Any]] = attrs.fields_dict(answer.model)
        proof = answer.model.proof
        proving = [name for name in proof if name in fields and name != "success"]
        self._proof = tuple(on_the_wire for name in proving for on_the_wire in wire_names(fields[name]))
        self._id = self._proof[0] if self._proof else None
        self._status = wire_names(fields["status"]) if "status" in fields else ()
        self._says_success = "success" in fields and "success" in proof
        confirmation = operation.confirmation
        self._wanted = None if confirmation is None else confirmation.wanted
        self._short = () if confirmation is None else confirmation.short
        self._echoed = [
            (asked, name)
            for asked, named in operation.echoes.items()
            for field in named
            if field in fields
            for name in wire_names(fields[field])
        ]

    def of(self, request: Request) -> OperationCodec[R]:
        """Return the codec for the answers to one request, which tells which of several is meant."""
        if self.chosen is None:
            return self
        one = copy.copy(self)
        chosen = functools.partial(self.chosen, request)
        one._structure = _chosen_one(self.name, self._model, self._structure, chosen)
        return one

    def decode(self, response: WireResponse) -> R:
        """Return the answer's model.

        Raises:
            UnreadableResponseError: The answer is not JSON, or does not fit the model, or nothing in it says
                that the work was done: what comes from something in between has a success status too.
            RefusedError: The answer says that it was not done.
        """
        try:
            # As `read_json` does it, without a call for each answer.
            body = response.body
            value: Any = orjson.loads(body)
            if has_long_number(body):
                value = read_exactly(body, value)
        except ValueError:
            try:
                value = read_otherwise(response.body)
            except ValueError:
                if self._may_be_empty and response.status == NO_CONTENT:
                    return None  # type: ignore[return-value]
                value = None
                check_empty(response, self.name, shown=not self._model.private, outcome=self._unread)
        if self._reads:
            if (
                type(value) is dict
                and not value.keys().isdisjoint(self._telling)  # pyright: ignore[reportUnknownMemberType]
                and is_error_object(value, self._form)  # pyright: ignore[reportUnknownArgumentType]
            ):
                raise no_answer(
                    response,
                    self.name,
                    value,  # pyright: ignore[reportUnknownArgumentType]
                    self._form,
                    shown=not self._model.private,
                    outcome=self._unread,
                )
        # As a rule an answer has an id, and nothing of an error or of a success that is told otherwise.
        elif not (
            self._id is not None
            and type(value) is dict
            and type(named := value.get(self._id)) is str  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]
            and named
            and value.keys().isdisjoint(self._telling)  # pyright: ignore[reportUnknownMemberType]
        ):
            self._check_done(value, response)
        try:
            model: R = self._structure(value, self._model)
        except NotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - any document gives a model or this error
            shown = not self._model.private
            raise misfit(error, self._model, response, self.name, value, shown=shown) from None
        return model

    def _check_done(self, value: Any, response: WireResponse) -> None:
        """Refuse what has neither the id that the work gave, nor the field that says so."""
        document = cast("dict[str, Any]", value) if type(value) is dict else {}
        success = document.get("success")
        part = part_of(document, self._form)
        # With the code of an unexpected error nobody knows what became of it, whatever else is said.
        if self._may_refuse and refuses_work(document, self._form) and not self._says_both(document):
            self._refuse(document, response)
            return
        is_error = is_typed(document, self._form) or part is not document
        if success is True and self._says_success and not is_error:
            return
        is_error = (
            is_error
            or bool(document.get("error"))
            # The acquirer's "00" is a success.
            or bool(code_in(part, self._form))
        )
        if (
            success in (None, True)
            and not is_error
            and any(unwrapped(document.get(name)) for name in self._proof)
        ):
            return
        if self._pending is not None and self._is_pending(document):
            return
        shown = not self._model.private
        message = document.get("message")
        told = f": {response.hidden(message)[:SHOWN]}" if type(message) is str and message else ""
        raise unreadable(
            response,
            f"{self.name}: nothing in the answer says that it was done{told}",
            shown=shown,
            raw=value,
        )

    def _says_both(self, document: dict[str, Any]) -> bool:
        """Tell whether a refusal is a whole answer of work that was done too, where no flag says which."""
        if self._form.flagged or not any(document.get(name) for name in self._proof):
            return False
        try:
            self._structure(document, self._model)
        except Exception:  # noqa: BLE001 - as a rule it does not fit
            return False
        return True

    def _is_pending(self, document: dict[str, Any]) -> bool:
        """Tell whether an answer asks for something more, such as 3-D Secure."""
        try:
            return bool(getattr(self._structure(document, self._model), str(self._pending)))
        except Exception:  # noqa: BLE001 - what does not fit the model asks for nothing
            return False

    def proves(self, request: Request, answer: WireResponse) -> bool:
        """Tell whether a success that cannot be read, or was cut, says that this request was done.

        Money needs its ``success: true``, and what carries a key its status: what was cut off may be a
        refusal. Where answers name that key, one needs something beside that was asked for, as something in
        between may give a status. What is created must be named as it was asked for, or else have an id. What
        was accepted (202) is to be done later, and what stands in an object inside may be a copy of the
        request. Where reading the resource confirms the work, no answer proves it that shows another state,
        and no whole one that shows none.
        """
        if answer.status == ACCEPTED:
            return False
        document, is_whole = _told_in(answer.body)
        says_success = document.pop("success", None)
        if says_success is False or document.get("type") in self._form.types or document.get("error"):
            return False
        if self._wanted is not None:
            states = [str(document[name]).lower() for name in self._status if name in document]
            if (states or is_whole) and self._wanted not in states:
                return False
        says_success = self._says_success and says_success is True
        named: dict[str, bool] = {}
        for asked, name in self._echoed:
            value, found = getattr(request, asked), document.get(name)
            # A currency is that of many.
            if asked != "currency" and value is not None and found is not None:
                named[asked] = named.get(asked, False) or _is_same(value, found)
        if self._may_refuse:
            # What was cut off may be that it was refused, or has failed.
            says_status = any(document.get(name) for name in self._status)
            is_told = says_status and not self._moves_money and (bool(named) or not self._names_key)
            return (says_success or is_told) and all(named.values())
        if named:
            return next(iter(named.values()))
        if says_success:
            return True
        if self._echoed:
            return False
        return any(document.get(name) not in (None, "") for name in self._proof)

    def short(self, response: WireResponse) -> R | None:
        """Return what an answer in the form of a listing tells, its missing texts empty; None for others."""
        try:
            document: Any = read_json(response.body)
            missing = {name: "" for name in self._short if document.get(name) is None}
            told: R = attrs.evolve(self._structure({**document, **missing}, self._model), raw=document)
        except Exception:  # noqa: BLE001 - any document gives a model or None
            return None
        return told

    def refusal(self, response: WireResponse) -> RefusedError | None:
        """Return the refusal that an answer which is no 2xx tells of, as a decline does; None for others."""
        if self._reads or len(response.body) > LARGEST_ERROR:
            return None
        try:
            value: Any = read_json(response.body)
        except ValueError:
            return None
        document = cast("dict[str, Any]", value) if type(value) is dict else {}
        if not refuses_work(document, self._form):
            return None
        try:
            self._refuse(document, response)
        except RefusedError as refused:
            return refused
        return None

    def _refuse(self, value: dict[str, Any], response: WireResponse) -> None:
        part = part_of(value, self._form)
        message = message_in(part, self._form)
        told = "no reason given" if message is None else response.hidden(message)
        try:
            answer = self._structure(response.hidden_in(value), self._model)
        except Exception:  # noqa: BLE001 - a refusal may be poorer than a success
            answer = None
        if self._pending is not None and getattr(answer, self._pending, False):
            return
        names = self._form.refusal_codes
        code = next((part[name] for name in names if part.get(name) is not None), None)
        refused = RefusedError(
            told[:LONGEST_MESSAGE],
            code=response.hidden(str(code))[:SHOWN] if type(code) in (str, int, float) else None,
            answer=answer,
            status=response.status,
            operation=self.name,
        )
        refused.raw = None if self._model.private else response.hidden_in(value)
        refused.request_id = hidden_text(part, self._form.request_id, response)
        raise with_evidence(refused, response)


def _telling(structure: Structure, names: Sequence[str]) -> Structure:
    """Return what reads an answer that has at least one of these fields."""

    def structure_telling(value: Any, kind: Any) -> Any:
        answer = structure(value, kind)
        if all(getattr(answer, name) is None for name in names):
            raise TypeError(f"none of {', '.join(names)} is there")
        return answer

    return structure_telling


def _chosen_one(
    name: str, model: Any, structure: Structure, chosen: Callable[[Sequence[Any]], Any]
) -> Structure:
    """Return what reads an answer that may be an object, a list of them or a page, as one of them."""
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(model)
    required = {wire_name(field) for field in fields if field.default is attrs.NOTHING}

    def structure_one(value: Any, kind: Any) -> Any:
        items = listed_in(value)
        body = cast("dict[str, Any]", value) if type(value) is dict else {str(model.list_under): value}
        if items is None or (not items and required.intersection(body)):
            return structure(value, kind)
        one = chosen(each(items, structure, kind, "data"))
        if one is None:
            raise NotFoundError(f"{name}: none of the {len(items)} in the answer is it", status=200)
        return attrs.evolve(one, raw=body)

    return structure_one


def _outermost(text: str) -> str:
    """Return what stands in a JSON object itself, and not in what it contains; it may end anywhere."""
    depth, begin, parts = 0, 0, list[str]()
    for token in _TOKENS.finditer(text):
        if token[0] in "{[":
            depth += 1
            if depth == 2:
                parts.append(text[begin : token.start()])
            elif depth == 1:
                begin = token.end()
        elif token[0] in "}]":
            depth -= 1
            if depth == 1:
                begin = token.end()
            elif depth == 0:
                parts.append(text[begin : token.start()])
    return "".join(parts) + (text[begin:] if depth == 1 else "")


def _told_in(body: bytes) -> tuple[dict[str, Any], bool]:
    """Return the texts and numbers in an answer's object itself, and its success, and whether it is whole.

    What stands in an object inside may be a copy of the request, but for a text that may be missing.
    """
    try:
        whole: Any = read_json(body)
    except ValueError:
        text = _outermost(body[:LONGEST_PROOF].decode("utf-8", "replace"))
        pairs = [(pair["name"], pair["value"]) for pair in _FIELDS.finditer(text) if pair["value"]]
        told, is_whole = {_read_part(name): _read_part(value) for name, value in pairs}, False
    else:
        is_whole = True
        told = cast("dict[str, Any]", whole) if type(whole) is dict else {}
    values = ((name, unwrapped(value)) for name, value in told.items())
    scalars = {name: value for name, value in values if type(value) in _SCALARS or name == "success"}
    return scalars, is_whole


def _read_part(text: str) -> Any:
    try:
        return json.loads(text, parse_float=as_written)
    except ValueError:
        return None


def _is_same(asked: Any, named: Any) -> bool:
    """Tell whether a value of an answer is the one that was asked for, as text or as a number."""
    if isinstance(asked, str):
        return str(named) == asked
    try:
        return Decimal(str(named)) == Decimal(asked)
    except ArithmeticError:
        return False


class ListingCodec(Generic[T]):
    """Encodes the requests and decodes the pages of one listing."""

    def __init__(
        self,
        listing: Listing[..., T],
        path: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.name: str = listing.name
        self._paging = listing.api.paging
        self._is_paged = listing.paged
        self._encoder = RequestEncoder(listing, listing.path if path is None else path, parameters)
        self._item: type[T] = listing.item
        group, _, call = listing.name.rpartition(".")
        place = (listing.path if path is None else path).rstrip("/").rpartition("/")[2].replace("-", "_")
        item = re.sub("(?<=.)(?=[A-Z])", "_", listing.item.__name__).lower() + "s"
        usual = ("data", "items")
        self._keys = (
            self._paging.items,
            *(key for key in usual if key != self._paging.items),
            *(key for name in (call, group, place, item) for key in _spelt_out(name)),
        )
        """Under which of them the items stand: the first is the published one."""
        self._structure: Structure = converter.get_structure_hook(listing.item)
        self._rows = rows_of.get(listing.item)
        self._is_private: bool = getattr(listing.item, "private", False)

    def filters(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return the path and the query's values by wire name, before page and size."""
        for name in ("page", "size", self._paging.size):
            if name in (request.extra or ()):
                raise ConfigurationError(f"extra[{name!r}]: a listing counts its pages itself")
        return self._encoder.path(request), self._encoder.values(request)

    def proves(self, request: Any, answer: WireResponse) -> bool:
        """Tell that a page proves nothing: it is only read."""
        return False

    def refusal(self, response: WireResponse) -> None:
        """Tell that a page refuses nothing."""

    def encode(self, path: str, values: Mapping[str, Any], page: int, size: int) -> WireRequest:
        """Return the request for one page."""
        asked = {**values, "page": page, self._paging.size: size} if self._is_paged else values
        query = query_of(asked)
        target = f"{path}?{query}" if query else path
        return WireRequest("GET", target, None, None, self._encoder.template)

    def decode(self, response: WireResponse) -> PageBody[T]:
        """Return the page.

        Raises:
            UnreadableResponseError: The answer is not JSON, or not a page of these items.
        """
        usual = self._usual_page(response.body) if self._is_paged else None
        if usual is not None:
            return usual
        shown = not self._is_private
        value = decode_json(response, self.name, shown=shown, outcome=Outcome.DONE)
        try:
            return self._page(value)
        except Exception as error:  # noqa: BLE001 - any document gives a page or this error
            raise misfit(error, PageBody, response, self.name, value, shown=shown) from None

    def _usual_page(self, body: bytes) -> PageBody[T] | None:
        """Return a page whose form is the published one, read at once; None for any other."""
        if self._rows is None:
            return None
        try:
            page: dict[str, Any] = orjson.loads(body)
            entries = page[self._paging.items]
            number, size, total = page["page"], page[self._paging.size], page["total"]
            if (
                not entries
                or len(page) != _FIELDS_OF_PAGE
                or total < 0
                or {type(number), type(size), type(total)} != {int}
            ):
                return None
            items = self._rows.read(entries)
            # Where there are no other fields, there is no number with decimals, which may have been changed.
            if set(map(len, entries)) != self._rows.width and has_long_number(body):
                return None
        except Exception:  # noqa: BLE001 - read again, for what is not as usual
            return None
        return PageBody(tuple(items), number, size, total, page, entries)

    def _page(self, value: Any) -> PageBody[T]:
        usual = self._paging.items
        body: dict[str, Any] = {usual: value} if type(value) is list else as_object(value)
        key = key_of_list(body, self._keys) or next((key for key in self._keys if key in body), usual)
        # A server may write an empty list as null, but what has no such field at all is no page.
        data = body[key]
        if data is not None and type(data) is not list:
            raise TypeError(f"{key}: expected an array, got {type(data).__name__}")
        entries = cast("Sequence[Any] | None", data)
        items = self._items(entries or ())
        raw = body
        if self._is_private and entries:
            # What an item shows of itself is in its own `raw`.
            entries = cast("Sequence[Any]", [cast("Any", item).raw for item in items])
            raw = {**body, key: entries}
        counts = {name: _counted(body.get(name)) for name in ("page", self._paging.size, "total")}
        if counts["total"] is not None and counts["total"] < 0:
            counts["total"] = None
        size = counts[self._paging.size]
        if not self._is_paged:
            # All there is, however it is written.
            return PageBody(items, 1, size, len(items), raw, entries)
        if not items and (
            key != usual
            or value is not body
            or any(body.get(key) for key in self._keys)
            or any(count is None and body.get(name) is not None for name, count in counts.items())
        ):
            # Of another form than the published one, it does not say plainly that there is nothing.
            entries = None
        return PageBody(items, counts["page"], size, counts["total"], raw, entries)

    def _items(self, values: Sequence[Any]) -> tuple[T, ...]:
        structure, item = self._structure, self._item
        try:
            return tuple([structure(value, item) for value in values])
        except Exception:  # noqa: BLE001 - read again, for the error to name the one that does not fit
            return tuple(each(values, structure, item, self._paging.items))


def _counted(value: Any) -> int | None:
    """Return a page's count of something; None where it cannot be read, for the items can."""
    try:
        return integer(value, int)
    except (TypeError, ValueError):
        return None


def _spelt_out(name: str) -> Iterator[str]:
    """Yield the names that a list may have in JSON, given the one in Python: all of it, or its last words."""
    words = name.split("_")
    for first in range(len(words)):
        yield "_".join(words[first:])
        yield words[first] + "".join(word.title() for word in words[first + 1 :])


def misfit(
    error: Exception, kind: Any, response: WireResponse, what: str, value: Any, *, shown: bool
) -> UnreadableResponseError:
    """Return the error of an answer that a structure hook has refused; unless `shown`, without its values."""
    found = unreadable(
        response,
        f"{what}: the answer does not fit {kind.__name__}: {reason(error)}",
        shown=shown,
        outcome=Outcome.DONE,
        raw=value,
    )
    # Nothing at all may be what is left of an answer that was cut.
    found.cut = not response.body.strip() and response.hides_a_cut
    return found
