"""The Gate API: digital goods and top-ups, which agents buy from their balance."""

from __future__ import annotations

from ..api.description import API, ClientParameter, ErrorForm, Paging

__all__ = ["GATE"]

GATE = API(
    name="gate",
    title="Plexy Gate API",
    package=__name__.rpartition(".")[0],
    base_url=None,
    base_url_variable="PLEXYPAY_GATE_BASE_URL",
    key_variable="PLEXYPAY_GATE_API_KEY",
    errors=ErrorForm(
        published=False,
        message=("message", "error"),
        schema={
            "type": "object",
            "description": "No form is published: a `code`, `message` and `error` are read where they are.",
            "properties": {
                "code": {"type": ["integer", "string"]},
                "message": {"type": "string"},
                "error": {"type": "string"},
            },
            "additionalProperties": True,
        },
    ),
    paging=Paging(size="pageSize", items="items"),
    repeated=frozenset({500, 502, 503, 504}),
    live_keys="pr_",
    parameters=(ClientParameter("agent_id", "PLEXYPAY_GATE_AGENT_ID"),),
)
"""Evidence: the header published; the names of paging seen in examples; the body of an error and the statuses
after which a request may be repeated **assumed**. How keys begin is as those of payments do, which are kept
out of clear text here too."""
