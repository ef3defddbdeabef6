"""The public names that both packages have, for checkers; `_lazy` is what gives them at run time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answered import Answered as Answered
    from .api.operation import Evidence as Evidence
    from .api.replay import *
    from .bulk.journal import Journal as Journal
    from .cards import *
    from .errors import *
    from .money import Money as Money
    from .observer import ObservedAttempt as ObservedAttempt
    from .observer import ObservedCall as ObservedCall
    from .observer import ObservedJob as ObservedJob
    from .observer import ObservedPause as ObservedPause
    from .observer import ObservedRow as ObservedRow
    from .observer import ObservedWebhook as ObservedWebhook
    from .observer import Observer as Observer
    from .pagination import Page as Page
    from .pay import *
    from .retry_policy import RetryPolicy as RetryPolicy
    from .webhooks import *
    from .webhooks.checkout import *
    from .webhooks.seen import *
