"""`AsyncPlexyGate`: the async client of the Gate API."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from .._client import taking_options
from ..api.description import API
from ..api.facades import Async
from ..client import AsyncClient
from ..options import ClientOptions
from ..settings import APIKey
from . import Groups
from .description import GATE

if TYPE_CHECKING:
    from .._http import ClientSession

__all__ = ["AsyncPlexyGate"]


@taking_options
class AsyncPlexyGate(AsyncClient, Groups[Async]):
    """A client of the Plexy Gate API for asyncio.

    It repeats, waits and pages as `AsyncPlexyPay` does, whose options it takes.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block.
            ``PLEXYPAY_GATE_API_KEY`` unless given; not that of the Pay API.
        agent_id: Your agent's id, a UUID, which is in the path of each request; one client serves one agent.
            ``PLEXYPAY_GATE_AGENT_ID`` unless given.
        base_url: The address of the API, of your environment: the vendor publishes none.
            ``PLEXYPAY_GATE_BASE_URL`` unless given.
        session: An `aiohttp.ClientSession` of yours, whose connections are used; see `AsyncPlexyPay`.
        options: Those that the clients of all APIs take; see `ClientOptions`.

    Raises:
        ConfigurationError: A value is missing or unusable; the message names it.
    """

    api: ClassVar[API] = GATE

    def __init__(
        self,
        api_key: APIKey | None = None,
        *,
        agent_id: str | None = None,
        base_url: str | None = None,
        session: ClientSession | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(
            api_key,
            session,
            base_url=base_url,
            parameters={"agent_id": agent_id},
            **options,
        )
