"""What an answer that cannot be read as a whole says of the payment link that it shows."""

from __future__ import annotations

import contextlib
from typing import Any, Self, cast

import attrs

from .._privacy.hiding import id_in, masked_card_numbers, text_in
from ..api.checks import says_nothing
from ..api.operation import Declaration, Operation
from ..errors import Outcome, UnreadableResponseError
from .messages import Decoder, WireResponse, read_json, unreadable

__all__ = ["NamedLink", "check_proof", "flawed"]


@attrs.frozen(kw_only=True, eq=False)
class NamedLink:
    """As much of a link as can be read, each field by the rules of answers; None is what cannot.

    Unlike the `raw` of an error, which is for showing, it is of an answer of any size, and nothing of its id
    and its address is hidden. It is never kept: the errors take the id and the address from it.
    """

    error: UnreadableResponseError
    """Says what could not be read."""
    id: str | None
    url: str | None
    order_reference: str | None
    amount: int | None
    currency: str | None
    status: str | None

    @classmethod
    def of(cls, error: UnreadableResponseError, answer: WireResponse) -> Self:
        """Return what the answer that an error is about says of a link."""
        # Importing the client does not load it.
        from .converter import integer

        document: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            read = read_json(answer.body)
            document = cast("dict[str, Any]", read) if type(read) is dict else {}
        amount: int | None = None
        with contextlib.suppress(TypeError, ValueError):
            amount = integer(document.get("amount"), int)
        status = text_in(document, "status")
        return cls(
            error=error,
            id=_without_key(id_in(document), answer),
            url=_without_key(text_in(document, "url"), answer),
            order_reference=text_in(document, "orderReference"),
            amount=None if says_nothing(amount) else amount,
            currency=text_in(document, "currency"),
            status=None if status is None else status.lower(),
        )

    @property
    def is_found(self) -> bool:
        """Whether there is something by which the link can be had."""
        return self.id is not None or self.url is not None

    def or_else(self, other: NamedLink) -> NamedLink:
        """Return it with what it does not tell from another reading of the same link."""
        return attrs.evolve(
            self,
            **{
                field.name: getattr(other, field.name)
                for field in attrs.fields(NamedLink)
                if getattr(self, field.name) is None
            },
        )


def flawed(name: str, flaw: str, answer: WireResponse, model: Any) -> UnreadableResponseError:
    """Return the error of an answer with a value that nobody asks for: it is no other request's either."""
    raw: Any = model.raw
    return unreadable(answer, f"{name}: the answer cannot be right: {flaw}", outcome=Outcome.DONE, raw=raw)


def check_proof(
    error: UnreadableResponseError,
    answer: WireResponse,
    decoder: Decoder[Any],
    declaration: Declaration[...],
    request: Any,
) -> None:
    """Let an error say that the work is done only where the answer names what the call asked for.

    Then it tells the payment link that the answer shows.
    """
    if error.outcome is not Outcome.DONE:
        return
    if not declaration.reads and not decoder.proves(request, answer):
        error.outcome = Outcome.UNKNOWN
    elif isinstance(declaration, Operation):
        _tell_link(error, answer, cast("Operation[..., Any]", declaration), request)


def _tell_link(
    error: UnreadableResponseError, answer: WireResponse, declaration: Operation[..., Any], request: Any
) -> None:
    model = declaration.answer.model
    if model.private or not {"id", "url"} <= attrs.fields_dict(model).keys():
        return
    link, identity = NamedLink.of(error, answer), declaration.identity
    if identity is not None:
        asked = getattr(request, identity)
        named = getattr(link, declaration.echoes[identity][0])
        if None not in (asked, named) and asked != named:
            return
    error.link_id, error.link_url = link.id, link.url


def _without_key(text: str | None, answer: WireResponse) -> str | None:
    """Return a text unless the API key is in it, which a server may have sent back."""
    if text is None or answer.hidden(text) != masked_card_numbers(text):
        return None
    return text
