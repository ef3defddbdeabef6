"""A local Plexy Pay for tests and trials, over real HTTP, without an account.

| where | what |
|---|---|
| `server` | `Sandbox`, which users start and stop; `running` has its parts while it runs |
| `front`, `site`, `connections` | what every HTTP request passes first |
| `faults`, `traffic` | what happens then to a request to the API |
| `handlers` | what each declared operation does |
| `shopper_api` | what the browsers of shoppers ask of the Checkout API |
| `state` | what the sandbox knows, in its database |
| `deliveries` | webhooks |
| `pages`, `admin` | the HTML pages, and the paths that steer the sandbox |
| `listener` | a server apart from the sandbox, to which webhooks are delivered |

`exchange`, `money` and `clock` are used by all of these, `checkout_messages` by what serves the Checkout API.
Of the four packages, `state` imports none of the others, `deliveries` and `handlers` import `state`, and
`pages` imports `state` and `deliveries`.
"""

from __future__ import annotations

from .clock import Clock
from .deliveries.delivery import Delivery, DeliveryAttempt, DeliveryState
from .deliveries.log import Deliveries
from .faults import Cut, Fault, Faults, ForeignBody, Misdelivery, Work
from .server import Sandbox
from .traffic import ArrivedRequest, Traffic

__all__ = [
    "ArrivedRequest",
    "Clock",
    "Cut",
    "Deliveries",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Fault",
    "Faults",
    "ForeignBody",
    "Misdelivery",
    "Sandbox",
    "Traffic",
    "Work",
]
