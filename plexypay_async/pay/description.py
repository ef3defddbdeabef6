"""The Pay API: payment links, transactions, payouts, wallets; v1."""

from __future__ import annotations

from ..api.description import API, ErrorForm, Paging
from ..errors import error_class_of

__all__ = ["PAY"]

PAY = API(
    name="pay",
    title="Plexy Pay API",
    package=__name__.rpartition(".")[0],
    base_url="https://api.plexypay.com",
    base_url_variable="PLEXYPAY_BASE_URL",
    key_variable="PLEXYPAY_API_KEY",
    errors=ErrorForm(
        numbered=True,
        types=frozenset({"apiError", "validationError"}),
        class_of=error_class_of,
        unexpected=2,
        reference_taken=1153,
        flagged=True,
        of_a_payment=("transactionId", "walletTransactionId", "responseCode"),
        refusal_codes=("code", "responseCode"),
        counts_statuses=False,
        schema={
            "type": "object",
            "description": "The API's error. The codes 1 to 5 are published; other statuses and bodies may"
            " come from something between.",
            "properties": {
                "code": {
                    "type": ["integer", "string"],
                    "description": "1: service unavailable, nothing was done. 2: something went wrong, it may"
                    " have been done. 3: invalid request params. 4: not found. 5: unprocessable entity. Also"
                    ' as text, such as "1" or "0001".',
                },
                "message": {"type": "string"},
                "source": {"type": "string", "description": "The part of the API that answers; an open set."},
                "type": {"type": "string", "description": "`apiError` or `validationError`; an open set."},
            },
            "additionalProperties": True,
        },
    ),
    paging=Paging(),
    repeated=frozenset({1, 2}),
    repeated_with_money=frozenset({1}),
    live_keys="pr_",
)
"""Evidence: address, header, codes and types published; how keys begin seen, not documented; the code of a
taken order reference and ``success: false`` from the 2023 docs."""
