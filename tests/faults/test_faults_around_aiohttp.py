"""What is put around aiohttp is called, and where aiohttp is built otherwise it does all the work itself."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from plexypay_async._http import direct
from plexypay_async._http.direct import is_built_as_needed

from .direct_calls import counted, create
from .scripted import CREATED, LINKS, scripted

CREATE = f"POST {LINKS}"


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes had the bodies of the requests that went out directly."""
    return counted(monkeypatch)


AROUND: dict[str, type[Any]] = {
    "_request": aiohttp.ClientSession,
    "send": aiohttp.ClientRequest,
    "write_bytes": aiohttp.ClientRequest,
    "start": aiohttp.ClientResponse,
    "connect": aiohttp.TCPConnector,
}
BUILDING: dict[str, type[Any]] = {
    "_prepare_headers": aiohttp.ClientSession,
    "_build_url": aiohttp.ClientSession,
    "update_headers": aiohttp.ClientRequest,
    "update_auto_headers": aiohttp.ClientRequest,
}
OWNERS: dict[str, type[Any]] = AROUND | BUILDING


def wrapped(name: str, calls: list[str]) -> Any:
    own = getattr(AROUND[name], name)

    @functools.wraps(own)
    async def wrapper(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(name)
        return await own(self, *args, **options)

    return wrapper


@pytest.mark.asyncio
@pytest.mark.parametrize("name", AROUND)
async def test_what_is_put_around_aiohttp_is_not_passed_by(
    name: str, went: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[str] = []
    async with scripted({CREATE: CREATED}) as (plexy, _):
        await create(plexy)
        with monkeypatch.context() as patch:
            patch.setattr(AROUND[name], name, wrapped(name, traced))
            await create(plexy, amount=101)
        assert traced == [name]
        await create(plexy, amount=102)
    assert len(went) == 2
    assert traced == [name]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BUILDING)
async def test_what_is_put_around_the_building_of_a_request_is_called_for_each(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as what gives each request a trace's id: kept in a head, it would be that of all."""
    own, calls = getattr(BUILDING[name], name), [0]

    def wrapper(self: Any, *args: Any) -> Any:
        calls[0] += 1
        return own(self, *args)

    async with scripted({CREATE: CREATED}) as (plexy, _):
        await create(plexy)
        monkeypatch.setattr(BUILDING[name], name, wrapper)
        await create(plexy, amount=101)
        await create(plexy, amount=102)
    assert calls[0] == 2


@pytest.mark.asyncio
async def test_what_is_put_around_one_session_is_not_passed_by() -> None:
    traced: list[str] = []
    async with scripted({CREATE: CREATED}) as (plexy, _):
        await create(plexy)
        connections: Any = await plexy._execution.transport.connections()
        session = connections._session
        own = session._request

        async def request(*args: Any, **options: Any) -> Any:
            traced.append("request")
            return await own(*args, **options)

        # aiohttp warns of what is set on its sessions.
        with contextlib.suppress(DeprecationWarning):
            object.__setattr__(session, "_request", request)
        await create(plexy, amount=101)
    assert traced == ["request"]


@pytest.mark.parametrize("way", ["an object", "a function"])
@pytest.mark.parametrize("name", OWNERS)
def test_what_was_put_around_aiohttp_before_is_not_passed_by(name: str, way: str) -> None:
    program = (
        "import aiohttp, functools\n"
        f"owner, name = aiohttp.{OWNERS[name].__name__}, {name!r}\n"
        "def shown(own):\n"
        "    @functools.wraps(own)\n"
        "    def wrapper(*args, **options): return own(*args, **options)\n"
        "    return wrapper\n"
        "class Wrapper:\n"
        "    def __init__(self, own): self.own = own\n"
        "    def __get__(self, instance, owner): return self.own.__get__(instance, owner)\n"
        "    def __getattr__(self, name): return getattr(self.own, name)\n"
        "class Shown(Wrapper):\n"
        "    def __get__(self, instance, owner): return self\n"
        f"around = shown if {way == 'a function'} else Shown\n"
        "setattr(owner, name, around(getattr(owner, name)))\n"
        "from plexypay_async._http.direct import is_built_as_needed\n"
        "print(is_built_as_needed())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_the_aiohttp_that_is_here_is_as_direct_requests_need_it() -> None:
    assert is_built_as_needed()


async def _other_step(self: Any, *_: Any) -> Any:
    await self.something_new()


async def _other_parameters(self: Any, *, timer: Any, something_new: Any) -> None:
    """As of a version of aiohttp that reads answers otherwise."""


OTHERS: dict[str, tuple[str, Any]] = {
    **{
        f"{name} has other steps": (f"aiohttp.{owner.__name__}.{name}", _other_step)
        for name, owner in AROUND.items()
    },
    "send is no coroutine": ("aiohttp.ClientRequest.send", lambda self, conn: None),
    "heads are written otherwise": ("aiohttp.http_writer._serialize_headers", lambda head: b""),
    "answers are read otherwise": (
        "aiohttp.client_proto.ResponseHandler.set_response_params",
        _other_parameters,
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", OTHERS)
async def test_calls_go_on_where_aiohttp_is_built_otherwise(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*OTHERS[kind])
        assert not is_built_as_needed()
    monkeypatch.setattr(direct, "is_built_as_needed", lambda: False)
    async with scripted({CREATE: CREATED}) as (plexy, script):
        await create(plexy)
        await create(plexy, amount=101)
        assert script.counts == {CREATE: 2}


@pytest.mark.asyncio
@pytest.mark.parametrize("missing", ["connect", "_get"])
async def test_a_method_that_is_gone_is_no_error(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in aiohttp.TCPConnector.__mro__:
        if missing in vars(kind):
            monkeypatch.delattr(kind, missing)
    assert not is_built_as_needed()
