"""Where gevent or eventlet has put greenlets in the place of threads, `PlexyPay` refuses to hang."""

from __future__ import annotations

import pytest

from tests.needs import need, needs

from .conftest import Check
from .servers import ThreadedSandbox

LENIENT = ("-W", "ignore")
"""Each of the two warns of what it patches, and of itself."""

TOLD = "needs a real thread for its event loop, and {} has patched threads: a call would hang."


GEVENT = "from gevent import monkey; monkey.patch_all()"
EVENTLET = "import eventlet; eventlet.monkey_patch()"


@pytest.mark.parametrize(
    ("patching", "when"),
    [
        (GEVENT, "first"),
        ("from gevent import monkey; monkey.patch_thread(threading=False)", "first"),
        (EVENTLET, "first"),
        (GEVENT, "after the client"),
        (GEVENT, "after a call"),
        (EVENTLET, "after a call"),
    ],
)
def test_patched_threads_are_refused(
    check: Check, sandbox: ThreadedSandbox, patching: str, when: str
) -> None:
    name = "eventlet" if patching is EVENTLET else "gevent"
    need(name)
    out = check(
        """
        import os, sys
        _, url, patching, when = sys.argv
        if when == "first":
            exec(patching)
        from plexypay_sync import ConfigurationError, PlexyPay
        try:
            plexy = PlexyPay("sandbox-key", base_url=url)
            if when == "after a call":
                plexy.payment_links.statistics()
            exec(patching)
            assert when != "first"
            plexy.payment_links.statistics()
        except ConfigurationError as error:
            print(error)
        # Python does not find a thread again that was started before threads were patched, and says so.
        sys.stdout.flush()
        os._exit(0)
        """,
        sandbox.base_url,
        patching,
        when,
        options=LENIENT,
        uvloop=True,
        limit=30,
    )
    assert TOLD.format(name) in out
    assert "thread=False" in out


@pytest.mark.parametrize(
    "patching",
    [
        "from gevent import monkey; monkey.patch_all(thread=False, select=False)",
        "import gevent.monkey",
        "import eventlet; eventlet.monkey_patch(thread=False)",
        "import eventlet.patcher",
    ],
    ids=["gevent", "gevent-imported", "eventlet", "eventlet-imported"],
)
def test_all_but_threads_may_be_patched(check: Check, sandbox: ThreadedSandbox, patching: str) -> None:
    need("eventlet" if "eventlet" in patching else "gevent")
    out = check(
        f"""
        {patching}
        import sys
        from plexypay_sync import PlexyPay
        with PlexyPay("sandbox-key", base_url=sys.argv[1]) as plexy:
            link = plexy.payment_links.create(amount=7, currency="KZT")
            print(plexy.payment_links.retrieve(link.id).amount, sum(1 for _ in plexy.payment_links.list()))
        """,
        sandbox.base_url,
        options=LENIENT,
        uvloop=False,
        limit=30,
    )
    assert out.split() == ["7", "1"]


@needs("gevent")
def test_gevents_selectors_are_for_uvloop_alone(check: Check, sandbox: ThreadedSandbox, uvloop: bool) -> None:
    out = check(
        """
        from gevent import monkey; monkey.patch_all(thread=False)
        import sys
        from plexypay_sync import ConfigurationError, PlexyPay
        try:
            with PlexyPay("sandbox-key", base_url=sys.argv[1]) as plexy:
                print(plexy.payment_links.create(amount=7, currency="KZT").amount)
        except ConfigurationError as error:
            print(error)
        """,
        sandbox.base_url,
        options=LENIENT,
        uvloop=uvloop,
        limit=30,
    )
    assert out == "7" if uvloop else "monkey.patch_all(thread=False, select=False)" in out
