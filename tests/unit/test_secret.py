"""A secret shows nothing of its text: not in any of its texts, a copy, a pickle, or what it refers to."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
import types
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from plexypay_async._privacy.secret import Secret
from plexypay_async.pay.description import PAY
from plexypay_async.settings import RetryPolicy, Settings
from tests.frames import exposures

TEXT = "pr_0123456789abcdef0123456789abcdef"
TEXTS: list[str | bytes] = [TEXT, TEXT.encode()]


def shown_by(value: object) -> dict[str, str]:
    """Return what the ways of showing an object make of it."""
    return {
        "repr": repr(value),
        "str": str(value),
        "format": f"{value}",
        "%s": "%s" % (value,),  # noqa: UP031 - as log records are written
        "%r": "%r" % (value,),  # noqa: UP031
        "pprint": pprint.pformat(value),
        "in a list": repr([value]),
        "in a dict": str({"key": value}),
        "dir": " ".join(dir(value)),
        "an error": str(ValueError(value)),
    }


def found(value: object, text: str) -> list[str]:
    """Return where a text stands in what an object refers to: by slots and dictionaries, however deep."""
    places: list[str] = []
    waiting: list[tuple[str, object]] = [("it", value)]
    seen: set[int] = set()
    while waiting:
        place, one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, types.ModuleType)):
            continue
        seen.add(id(one))
        if isinstance(one, (str, bytes)):
            if text in (one if isinstance(one, str) else one.decode("latin-1")):
                places.append(place)
            continue
        if isinstance(one, Mapping):
            waiting += [(f"{place}[{key!r}]", inner) for key, inner in one.items()]
            waiting += [(f"{place}'s key", key) for key in one]
            continue
        if isinstance(one, Iterable) and isinstance(one, (list, tuple, set, frozenset)):
            waiting += [(f"{place}[{index}]", inner) for index, inner in enumerate(one)]
            continue
        for kind in type(one).__mro__:
            names = kind.__dict__.get("__slots__", ())
            for name in (names,) if isinstance(names, str) else names:
                if name != "__weakref__" and hasattr(one, name):
                    waiting.append((f"{place}.{name}", getattr(one, name)))
        waiting += [(f"{place}.{name}", inner) for name, inner in getattr(one, "__dict__", {}).items()]
        if isinstance(one, types.FunctionType):
            told = (one.__defaults__, one.__kwdefaults__, one.__annotations__, one.__doc__, one.__name__)
            waiting += [(f"{place}()", told), (f"{place}() code", one.__code__.co_consts)]
        if isinstance(one, types.MethodType):
            waiting.append((f"{place}.__self__", one.__self__))
    return places


@pytest.mark.parametrize("text", TEXTS, ids=["text", "bytes"])
def test_it_gives_its_text_where_it_is_asked(text: Any) -> None:
    assert Secret(text).reveal() == text
    assert bool(Secret(text))
    assert not Secret(text[:0])


@pytest.mark.parametrize("text", TEXTS, ids=["text", "bytes"])
def test_no_way_of_showing_it_shows_its_text(text: Any) -> None:
    secret = Secret(text)

    assert repr(secret) == str(secret) == f"{secret}" == "<secret>"
    assert not [way for way, shown in shown_by(secret).items() if TEXT in shown or TEXT[:8] in shown]


def test_it_has_no_dictionary() -> None:
    with pytest.raises(TypeError):
        vars(Secret(TEXT))
    assert not hasattr(Secret(TEXT), "__dict__")
    with pytest.raises(AttributeError):
        Secret(TEXT).text = TEXT  # type: ignore[attr-defined]


def test_what_holds_it_may_be_shown() -> None:
    settings = Settings.of(
        PAY,
        TEXT,
        base_url=None,
        timeout=60.0,
        connect_timeout=5.0,
        read_timeout=30.0,
        max_connections=1,
        retry=RetryPolicy(),
        paths=None,
        trust_env=False,
    )
    assert settings.current_key().reveal() == TEXT
    assert not [way for way, shown in shown_by(settings).items() if TEXT in shown]
    assert found(settings, TEXT) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("text", TEXTS, ids=["text", "bytes"])
def test_it_is_not_pickled(text: Any, protocol: int) -> None:
    for held in (Secret(text), {"key": [Secret(text)]}):
        with pytest.raises(TypeError, match="a secret cannot be pickled") as caught:
            pickle.dumps(held, protocol)
        assert TEXT not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError):
        json.dumps(Secret(text))


def test_a_copy_is_itself() -> None:
    secret = Secret(TEXT)
    deep = copy.deepcopy({"key": [secret]})

    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret
    assert deep["key"][0] is secret


def test_two_are_equal_where_their_texts_are() -> None:
    assert Secret(TEXT) == Secret("".join(TEXT))
    assert hash(Secret(TEXT)) == hash(Secret("".join(TEXT)))
    assert Secret("ключ") == Secret("ключ")
    assert len({Secret(TEXT), Secret(TEXT), Secret("other")}) == 2
    for other in ("other", TEXT[:-1], TEXT + "x", TEXT.upper(), ""):
        assert Secret(TEXT) != Secret(other)


def test_it_is_equal_to_nothing_else() -> None:
    for other in (TEXT, TEXT.encode(), None, object(), "<secret>"):
        assert Secret(TEXT) != other
        assert not Secret(TEXT) == other  # noqa: SIM201 - the other operator


@pytest.mark.parametrize("text", TEXTS, ids=["text", "bytes"])
def test_no_walk_over_what_it_refers_to_finds_its_text(text: Any) -> None:
    secret = Secret(text)

    assert found(secret, TEXT) == []
    assert found({"a": [(secret, {"b": secret})]}, TEXT) == []
    # The walk finds what is there to be found.
    assert found({"a": [(text, secret)]}, TEXT) == ["it['a'][0][0]"]
    assert found(types.SimpleNamespace(held=Slotted(text)), TEXT) == ["it.held.value"]


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def test_no_frame_of_an_error_holds_it() -> None:
    def used(secret: Secret[str]) -> None:
        held = {"headers": {"Authorization": secret}}
        raise ValueError(f"{held}")

    with pytest.raises(ValueError, match="<secret>") as caught:
        used(Secret(TEXT))
    assert exposures(caught.value, [TEXT]) == []


def test_no_log_record_holds_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("tests").debug("key %s %r", Secret(TEXT), Secret(TEXT))

    assert caplog.messages == ["key <secret> <secret>"]


@pytest.mark.parametrize("text", TEXTS, ids=["text", "bytes"])
def test_its_digests_are_of_its_text_and_show_nothing(text: Any) -> None:
    secret, other = Secret(text), Secret(text + text[:1])

    assert secret.slow_digest(b"salt") == Secret(TEXT).slow_digest(b"salt")
    assert len({one.slow_digest(salt) for one in (secret, other) for salt in (b"salt", b"pepper")}) == 4
    assert secret.keyed_digest(b"content") == Secret(TEXT).keyed_digest(b"content")
    assert len({one.keyed_digest(content) for one in (secret, other) for content in (b"a", b"b")}) == 4
    assert TEXT.encode() not in secret.keyed_digest(b"content") + secret.slow_digest(b"salt")
