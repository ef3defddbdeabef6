"""`PlexyGate`: the client of the Gate API for code without an event loop."""

from __future__ import annotations

from typing import ClassVar, Unpack

from plexypay_async._client import taking_options
from plexypay_async.api.description import API
from plexypay_async.api.facades import Sync
from plexypay_async.gate import Groups
from plexypay_async.gate.description import GATE
from plexypay_async.options import ClientOptions
from plexypay_async.settings import APIKey

from .client import SyncClient

__all__ = ["PlexyGate"]


@taking_options
class PlexyGate(SyncClient, Groups[Sync]):
    """A client of the Plexy Gate API for code without an event loop.

    It repeats, waits and pages as `PlexyPay` does, whose options it takes.

    Args:
        api_key: The key, or a function that returns the one to use now and does not block.
            ``PLEXYPAY_GATE_API_KEY`` unless given; not that of the Pay API.
        agent_id: Your agent's id, a UUID, which is in the path of each request; one client serves one agent.
            ``PLEXYPAY_GATE_AGENT_ID`` unless given.
        base_url: The address of the API, of your environment: the vendor publishes none.
            ``PLEXYPAY_GATE_BASE_URL`` unless given.
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
        **options: Unpack[ClientOptions],
    ) -> None:
        self._begin(
            api_key,
            base_url=base_url,
            parameters={"agent_id": agent_id},
            **options,
        )
