"""The public names that both packages have, for checkers; `_lazy` is what gives them at run time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import *
    from .bulk.journal import Journal as Journal
    from .cards import *
    from .errors import *
    from .operation import Evidence as Evidence
    from .pagination import Page as Page
    from .replay import *
    from .seen import *
    from .settings import RetryPolicy as RetryPolicy
    from .webhooks import *
