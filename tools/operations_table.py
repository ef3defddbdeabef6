"""The docs' tables of operations, made from the declarations: ``python -m tools.operations_table [API]``.

It writes the whole of ``docs/operations.md`` to its output, or of ``docs/operations-gate.md`` for ``gate``.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import fill
from typing import Any

from plexypay_async.api.description import API
from plexypay_async.api.index import every_group
from plexypay_async.api.operation import (
    Bulk,
    Declaration,
    Ensured,
    Listing,
    Operation,
    Resource,
    Wait,
    declarations,
)
from plexypay_async.api.settling import Look
from plexypay_async.apis import api_of
from plexypay_async.pay.description import PAY

__all__ = ["operations_table"]

_HEAD = """\
# Operations

All operations of the Pay API: the call on `AsyncPlexyPay` and `PlexyPay`, the HTTP request it makes, how
well that is known, and what is repeated after a failure. Those of the vendor's other APIs are in
[operations-gate.md](operations-gate.md) and [operations-checkout.md](operations-checkout.md). A call marked
*pages* returns a listing, which fetches its pages while it is read. The table is made from the declarations
in `plexypay_async/pay` by `python -m tools.operations_table`; the same facts are on each declaration as
`method`, `path`, `evidence` and `replay`.

```python
from plexypay_async import Payments

Payments.refund.path  # "/v1/payments/{id}/refund"
```

For other languages, [openapi.yaml](openapi.yaml) says the same in OpenAPI 3.1, with the bodies and the
evidence of each operation (`x-evidence`). The sandbox serves it at `/openapi.json`.

## Evidence

The vendor publishes no complete description of the API. Each operation says where its method and path come
from; what is known of the bodies stands in the docstrings of the request and answer classes.

| evidence | the method and the path are |
|---|---|
| `published` | published by the vendor for the API as it is |
| `observed` | what merchants' production code sends and receives today |
| `vendor_code` | in the vendor's own programs, such as its browser SDK |
| `legacy` | in the vendor's docs of 2023, for the same host and paths |
| `assumed` | formed by analogy: the vendor lists the operation, and its page could not be read |

**An assumed path may be wrong.** An error of a call on one says so in a note. If the path turns out to be
another, give it to the client, with the same parameters between braces; there is no need to wait for a
release:

```python
from plexypay_async import AsyncPlexyPay

plexy = AsyncPlexyPay(paths={"customers.create": "/v1/clients", "customers.retrieve": "/v1/clients/{id}"})
```

`paths` takes the name of any operation below, and `with_options(paths=...)` does so for a derived client.
The published fields are typed. Where fields are not published, a request takes them in `extra`, under their
wire names, and an answer has them in `raw`.

## What is repeated

The replay class says what the library does on its own, within the call's `timeout` and `RetryPolicy`.

| class | nothing was sent, HTTP 429 or code 1 | code 2 | sent, and the answer is lost |
|---|---|---|---|
| `safe` | repeated | repeated | repeated |
| `same_key` | repeated | repeated | repeated, with the same idempotency key |
| `after_lookup` | repeated | looked up, then repeated | looked up, then repeated |
| `create` | repeated | repeated | **not repeated**: `OutcomeUnknownError` |
| `money` | repeated | **not repeated**: `OutcomeUnknownError` | **not repeated**: `OutcomeUnknownError` |

- `after_lookup` looks for what an earlier attempt made by its order reference; without one it is a
  `create`.
- The key of `same_key` is made once for a request unless you give it; an error has it as `idempotency_key`,
  and the same call with that key is safe.
- After an unknown outcome, the places where the work of a `money` or `create` operation shows stand below the
  table, the surest first; the message of the `OutcomeUnknownError` names them with their arguments, and what
  to look for. It was done where it shows in one of them since the call. That it was not done is sure only
  where it shows in none of them, and not at once: the server may be at work on it still.
- A `money` or `same_key` operation whose answer says `success: false` raises `RefusedError`. Under a 4xx the
  answer must also have a code, a response code or an id of its own, or a status that is given before any
  work: `success: false` alone may be of something in between, and leaves the outcome unknown. So it is under
  a 5xx, where a code 1 is the API's own only with its `type`. The other operations that change something
  raise `RefusedError` too for such a 4xx, unless it is the API's own error body.
- Any other 4xx with the API's own error body (a code, or a published `type`), such as code 3, 4 or 5, is
  raised as it is, unless it answers a repeat and reading settles it: the order reference is taken by what
  an earlier attempt created, or the link is cancelled already.
- Without that body something in between has answered, perhaps after it had handed the request on: the
  outcome is unknown. But for the statuses that are given before any work: 400, 401, 403, 404, 405, 411,
  413, 414, 415, 421, 429 and 431 are refusals whoever answers. 408, 425 and 499 are repeated where a lost
  answer is. A 5xx without that body is never repeated by `create` and `money`: only a code says code 1.
- A success is proved by the operation's own fields: an id, or `success: true`. A 2xx without them counts
  as a lost answer, and so does one that names another order reference, amount, currency, id or page than
  was asked for; its connection is closed.
- A success that broke off in its body counts as lost; `create` and `money` raise
  `UnreadableResponseError` with the outcome `DONE` where what has come names what was asked for, else
  `OutcomeUnknownError`.
- "Not found" proves that nothing was made only when it was asked `read_timeout` and five seconds after
  the last request that may still be at work. Asked sooner, a repeat may follow, which the order reference
  protects, but an error of the call says `UNKNOWN`. A bulk job waits so long before it calls a row
  failed.
- `RetryPolicy(codes=..., money_codes=...)` changes which codes are repeated.

## In an outage

While everything that a client sends fails, its single calls stop asking. It is an outage when at least
five requests have failed on end for two seconds, and as many as are under way, or fifty however soon; any
answer that shows that the server works, to any operation, ends it, a 404 or a 422 too. Failures ten
seconds old count no more.

- Two requests a second go out as probes. The other calls wait, each within its own `timeout`, the
  look-ups of lost answers among them. When a probe is answered, ten of those that wait go out, and two
  more for each answer after that.
- An attempt that fails in an outage is none of `max_attempts`. With `max_attempts=1` a call that has
  failed is not repeated, as ever.
- A call whose time ends meanwhile raises `DeadlineExceededError`: `NOT_SENT` where nothing of it was
  sent, with the latest failure of the client's other calls as its cause. `client.failing` tells it
  sooner.
- `RetryPolicy(outage="fail")` waits for nothing: a call that would be repeated raises its last error at
  once, and a new one `OutageError`, whose outcome is `NOT_SENT`; two new ones a second go out as probes.
  Only a call with a lost answer waits for what its look-up says. Who merely wants an answer sooner gives
  less `timeout`.
- Bulk jobs wait and probe in the same way, by what their own requests have met: a job that asks for too
  much does not hold single calls up, nor does a single operation that is broken hold up a job.

Apart from outages a budget bounds how often a client repeats: a repeat costs 5 tokens of it, after a
time-out 10. A success, and any answer that shows that the server works, gives back what the call's last
repeat took, or 1, and 50 come back each second. A client of 100 connections has 3,500, so 700 repeats at
once and in the long run as many as it has successes, and ten a second besides. A call that finds it empty
waits for its turn within its `timeout`, or raises its last error under `outage="fail"`. Look-ups of lost
answers cost nothing and are never refused.
"""


_HEAD_OF_ANOTHER = """\
# Operations of the {title}

All operations of the library's `Async{client}` and `{client}`: the HTTP request that each makes, how well
that is known, and what is repeated after a failure. The words are explained in
[operations.md](operations.md). The table is made from the declarations in `plexypay_async/{api.name}` by
`python -m tools.operations_table {api.name}`; for other languages,
[openapi-{api.name}.yaml](openapi-{api.name}.yaml) says the same in OpenAPI 3.1.
"""


def operations_table(api: API = PAY) -> str:
    """Return the text of an API's table: ``docs/operations.md`` for the Pay API."""
    head = _HEAD
    if api is not PAY:
        head = _HEAD_OF_ANOTHER.format(api=api, title=api.title, client=f"Plexy{api.name.title()}")
    return head + "".join(f"\n{part}" for group in every_group(api) for part in _section(group))


def _section(group: type[Resource[Any]]) -> Iterator[str]:
    yield f"## `{group.group}`\n"
    yield f"{inspect.getdoc(group)}\n"
    rows = ["| call | HTTP | evidence | replay |", "|---|---|---|---|"]
    rows += [_row(declaration) for declaration in declarations(group).values()]
    yield "\n".join(rows) + "\n"
    if settled := list(_settled(group)):
        yield "Where the work of a call shows whose outcome is not known:\n"
        yield "\n".join(settled) + "\n"
    built = [f"`{value.name}`" for value in vars(group).values() if isinstance(value, (Bulk, Ensured, Wait))]
    if built:
        yield f"Built on these: {', '.join(built)}.\n"


def _settled(group: type[Resource[Any]]) -> Iterator[str]:
    """Yield a line for each operation of which it is known where its work shows, the surest place first."""
    for declaration in declarations(group).values():
        if not isinstance(declaration, Operation) or (by := declaration.settled_by) is None:
            continue
        places = [
            f"{sought} in {_joined([_place(look) for look in looks])}"
            for sought, looks in groupby(by.looks, key=_sought)
        ]
        doubt = "" if by.doubt is None else f". {by.doubt.removesuffix('.')}"
        yield fill(
            f"- `{declaration.name}`: {'; '.join(places)}{doubt}.",
            110,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _joined(calls: Sequence[str]) -> str:
    return calls[0] if len(calls) == 1 else f"{', '.join(calls[:-1])} and {calls[-1]}"


def _place(look: Look) -> str:
    bounds = "" if look.bounds is None else f" ({look.bounds})"
    return f"`{look.call}`{look.condition}{bounds}"


def _sought(look: Look) -> str:
    told = re.sub("'(.+)'", r"`\1`", look.sought)
    return told if look.amount is None else f"{told} of its amount"


def _row(declaration: Declaration[...]) -> str:
    pages = ", pages" if isinstance(declaration, Listing) else ""
    replay = declaration.replay.value
    if isinstance(declaration, Operation) and declaration.key is not None:
        replay += f", by `{declaration.key}`"
    return (
        f"| `{declaration.name}`{pages} | `{declaration.method} {declaration.path}` "
        f"| {declaration.evidence.value} | {replay} |"
    )


if __name__ == "__main__":
    sys.stdout.write(operations_table(api_of((sys.argv[1:] or [PAY.name])[0])))
