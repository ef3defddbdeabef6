"""The configuration of the API, such as the currencies that it takes.

Evidence: the call is published, as a command line; its answer is not.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from ..api.facades import F
from ..api.fields import Model, PathRequest
from ..api.operation import Evidence, Operation, Resource
from .description import CHECKOUT

__all__ = ["Config", "Configuration", "RetrieveConfig"]


@attrs.frozen
class RetrieveConfig(PathRequest):
    """Retrieve the configuration of the API, such as the currencies that it takes.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        The `Configuration`, whose fields are unknown: read `raw`.

    Raises:
        NotFoundError: This path is not the API's.

    Evidence: the call is published, its answer is not.
    """


@attrs.frozen(kw_only=True)
class Configuration(Model):
    """The configuration of the API. No field of it is known: everything is in `raw`, an array as ``data``.

    Evidence: nothing of the answer could be read.
    """

    list_under: ClassVar[str | None] = "data"


class Config(Resource[F], api=CHECKOUT):
    """Retrieve the configuration of the API."""

    retrieve: Final = Operation(
        "GET", "/v2/config", RetrieveConfig, Configuration, evidence=Evidence.PUBLISHED
    )
