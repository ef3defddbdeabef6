"""A sub-interpreter that used `PlexyPay` ends without ending its process."""

from __future__ import annotations

import sys

import pytest

from .scripts import Script

# Extension modules of later versions' packages refuse to be imported in another interpreter.
pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="the module is Python 3.11's")

CODE = """
    import _xxsubinterpreters as interpreters
    import sys

    USE = [
        "from plexypay_sync import PlexyPay, PlexyPayError, RetryPolicy",
        "plexy = PlexyPay('key', base_url='http://127.0.0.1:1', retry=RetryPolicy(max_attempts=1))",
        "try:",
        "    plexy.payment_links.retrieve('pl_1')",
        "except PlexyPayError as error:",
        "    print(type(error).__name__, 'sub-interpreter' in str(error), flush=True)",
    ]
    other = interpreters.create(isolated=sys.argv[1] == "isolated")
    interpreters.run_string(other, "\\n".join(USE))
    interpreters.destroy(other)
    exec("\\n".join(USE))
    print("ended")
"""


@pytest.mark.parametrize("kind", ["shared", "isolated"])
def test_a_sub_interpreter_ends_without_ending_the_process(kind: str) -> None:
    script = Script(CODE, kind, options=(), uvloop=True, development=False)
    status, out, err = script.end()
    assert (status, out.splitlines()) == (0, ["ConfigurationError True", "ConnectError False", "ended"]), err
