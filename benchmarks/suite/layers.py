"""What each layer of one async create costs, in µs of CPU: the codec, the execution, the transport.

The codec is timed alone; the execution is a whole call on a transport that answers at once, less the codec;
the transport is sending alone, through aiohttp and the system, 100 at once. They add up to about the whole.
"""

from __future__ import annotations

import math

from plexypay_async import AsyncPlexyPay, CreatePaymentLink, PaymentLinks
from plexypay_async._core.execution import Connections
from plexypay_async._core.sending import Sending
from plexypay_async._wire.messages import WireRequest, WireResponse

from .. import answers
from ..bulk_contenders import run_on
from ..cases import Case, Column, Contender, Figures, Scale
from ..contenders import KEY, SUCCESS_URL, opened_async
from ..timing import timed_coroutines, timed_work
from .codec import codec_of

TITLE = "One async create by its layers, 100 at once, uvloop"
COLUMNS = (Column("cpu", "µs CPU/call", 1, less_is_better=True),)
WHOLE, BY_HAND, LIMIT = "the whole call", "aiohttp by hand", "raw protocol"
LAYERS = ("codec", "execution", "transport")
CASE = "layers"
CONCURRENCY = 100
PATIENCE = 60.0


def cases(scale: Scale) -> list[Case]:
    """Return the one case."""
    names = scale.of((WHOLE, *LAYERS, BY_HAND, LIMIT), (WHOLE, *LAYERS), (WHOLE, *LAYERS))
    contenders = tuple(Contender(name, {"name": name}, ("uvloop",)) for name in names)
    return [Case(CASE, contenders, {"seconds": scale.seconds}, rounds=scale.of(None, 1, 1))]


async def contender_cost(name: str, url: str, seconds: float) -> float:
    """Return what a whole contender takes."""
    async with opened_async(name, url, CONCURRENCY) as create:
        return (await timed_coroutines(create, CONCURRENCY, seconds))["cpu"]


def codec_cost(seconds: float) -> float:
    """Return what building and encoding a request, and decoding its answer, take."""
    codec = codec_of("plexypay")
    return timed_work(codec["encode"], seconds / 2) + timed_work(codec["decode"], seconds / 2)


async def stubbed_cost(url: str, seconds: float) -> float:
    """Return what a call takes whose transport answers at once."""

    async def answered(request: WireRequest, *_: object) -> WireResponse:
        return WireResponse(201, answers.created(request.body or b"").partition(b"\r\n\r\n")[2])

    async with opened_client(url) as plexy:
        connections = await connections_of(plexy)
        connections.send = answered  # type: ignore[method-assign, assignment]

        async def create(n: int) -> str:
            link = await plexy.payment_links.create(
                amount=100 + n,
                currency="KZT",
                description="Invoice",
                order_reference=f"ORD-{n}",
                success_url=SUCCESS_URL,
            )
            return link.url or ""

        return (await timed_coroutines(create, CONCURRENCY, seconds))["cpu"]


async def transport_cost(url: str, seconds: float) -> float:
    """Return what sending an encoded request and reading its answer take."""
    async with opened_client(url) as plexy:
        connections = await connections_of(plexy)
        execution = plexy._execution
        request: WireRequest = execution.codec(PaymentLinks.create).encode(
            CreatePaymentLink(amount=100, currency="KZT", order_reference="ORD-1", success_url=SUCCESS_URL)
        )

        async def send(_: int) -> str:
            watch = connections.deadlines.watch(math.inf, PATIENCE)
            response = await connections.send(request, execution.options, Sending(watch, once=True))
            watch.done()
            if not isinstance(response, WireResponse) or response.status != 201:
                raise RuntimeError(repr(response))
            return ""

        return (await timed_coroutines(send, CONCURRENCY, seconds))["cpu"]


def opened_client(url: str) -> AsyncPlexyPay:
    """Return a client with as many connections as calls at once."""
    return AsyncPlexyPay(KEY, base_url=url, max_connections=CONCURRENCY)


async def connections_of(plexy: AsyncPlexyPay) -> Connections:
    """Return a client's connections, which are private: layers can be measured from inside alone."""
    return await plexy._execution.transport.connections()


def run(url: str, *, name: str, seconds: float) -> Figures:
    """Measure one layer, or the whole of a contender."""
    if name == "codec":
        return {"cpu": codec_cost(seconds)}
    found: list[float] = []

    async def main() -> None:
        if name == "transport":
            found.append(await transport_cost(url, seconds))
        elif name == "execution":
            found.append(await stubbed_cost(url, seconds) - codec_cost(seconds))
        else:
            found.append(await contender_cost("plexypay" if name == WHOLE else name, url, seconds))

    run_on("uvloop", main())
    return {"cpu": found[0]}
