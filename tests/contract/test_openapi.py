"""The OpenAPI document is the declarations', valid, and says how well each operation is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from plexypay_async.api.description import API
from plexypay_async.api.docstrings import docstring_of, field_descriptions
from plexypay_async.api.index import every_declaration
from plexypay_async.api.openapi import openapi_document
from plexypay_async.api.operation import Declaration, Evidence, Listing
from plexypay_async.apis import APIS
from plexypay_async.gate.description import GATE
from plexypay_async.pay.description import PAY
from plexypay_async.pay.payments import Payment
from plexypay_async.pay.transactions import WaitForTransaction
from tests.needs import needs
from tools.openapi import openapi_yaml, written

DOCS = Path(__file__).parents[2] / "docs"
FILES = {api: DOCS / ("openapi.yaml" if api is PAY else f"openapi-{api.name}.yaml") for api in APIS}
SERVERS = {api: api.base_url or "https://api.example" for api in APIS}
each_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
EXAMPLES = Path(__file__).parents[1] / "contract" / "examples"
DOCUMENT = openapi_document(PAY, str(PAY.base_url))
SCHEMAS = DOCUMENT["components"]["schemas"]

each_declaration = pytest.mark.parametrize(
    "declaration", list(every_declaration(PAY)), ids=lambda declaration: declaration.name
)


def operation_of(declaration: Declaration[...]) -> Any:
    return DOCUMENT["paths"][declaration.path][declaration.method.lower()]


@each_api
def test_the_file_is_up_to_date(api: API) -> None:
    text = FILES[api].read_text(encoding="utf-8")
    assert text == openapi_yaml(api), f"{FILES[api]} is stale: make openapi"


@each_api
def test_the_command_writes_the_file(api: API) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tools.openapi", *([] if api is PAY else [api.name])],
        capture_output=True,
        check=True,
        timeout=120,
    )

    assert ran.stdout.decode() == openapi_yaml(api)
    assert ran.stderr == b""


@each_api
def test_the_document_is_json_and_the_same_each_time(api: API) -> None:
    first, second = (json.dumps(openapi_document(api, SERVERS[api])) for _ in range(2))
    assert first == second


@each_api
def test_an_api_is_described_with_all_its_operations_and_its_own_key(api: API) -> None:
    document = openapi_document(api, SERVERS[api])
    described = [one["operationId"] for of_path in document["paths"].values() for one in of_path.values()]
    assert sorted(described) == sorted(one.name for one in every_declaration(api))
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == api.key_header
    assert document["components"]["schemas"]["Error"] == api.errors.schema


@needs("openapi_spec_validator")
@each_api
def test_the_document_is_valid(api: API) -> None:
    validators: Any = import_module("openapi_spec_validator")

    validators.validate(openapi_document(api, SERVERS[api]), cls=validators.OpenAPIV31SpecValidator)


@needs("yaml")
@each_api
def test_the_file_says_what_the_document_says(api: API) -> None:
    yaml: Any = import_module("yaml")

    read = yaml.safe_load(FILES[api].read_text(encoding="utf-8"))
    assert read == openapi_document(api, SERVERS[api])


@needs("yaml")
@pytest.mark.parametrize(
    "value",
    [
        {"no": True, "1": None, "on": [], "": {}},
        {"a": "x: y # z", "b": "- 'q' \"r\"\\", "c": "Имя\n\n  last \n", "d": "\n", "e": " x\ny"},
        [[1, [2.5, []]], {"a": [{"b": "\u00e9"}]}, "null", ""],
        "alone",
    ],
    ids=repr,
)
def test_any_json_is_written_as_yaml(value: Any) -> None:
    yaml: Any = import_module("yaml")

    assert yaml.safe_load(written(value)) == value


def test_every_operation_is_there_once() -> None:
    made = [operation for of_path in DOCUMENT["paths"].values() for operation in of_path.values()]

    assert sorted(one["operationId"] for one in made) == sorted(one.name for one in every_declaration(PAY))


@each_declaration
def test_each_operation_tells_its_evidence(declaration: Declaration[...]) -> None:
    operation = operation_of(declaration)

    assert operation["operationId"] == declaration.name
    assert operation["x-evidence"] == declaration.evidence.value
    assert f"Method and path ({declaration.evidence.value}): " in operation["description"]
    assert operation["x-replay"] == declaration.replay.value
    assert operation["summary"]
    in_path = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
    assert tuple(in_path) == declaration.path_parameters
    in_query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    assert ({"page", "size"} <= set(in_query)) is isinstance(declaration, Listing)
    has_body = declaration.method in ("POST", "PUT", "PATCH") and declaration.name != "payments.cancel"
    assert ("requestBody" in operation) is has_body, "the cancel of a payment has no body"
    assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}


def test_every_class_of_evidence_is_explained() -> None:
    for evidence in Evidence:
        assert f"- `{evidence.value}`: " in DOCUMENT["info"]["description"]


def test_every_object_is_open_and_told() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["additionalProperties"] is True, name
        assert schema["description"], name


def every_schema(within: Any) -> Iterator[Any]:
    """Yield every schema and every other object in a part of the document."""
    if isinstance(within, dict):
        yield within
    for inner in within.values() if isinstance(within, dict) else within if isinstance(within, list) else ():
        yield from every_schema(inner)


def test_nothing_is_said_so_that_generators_drop_a_schema() -> None:
    for name, schema in SCHEMAS.items():
        assert not {"anyOf", "oneOf", "allOf"} & schema.keys(), name
    for schema in every_schema(DOCUMENT):
        kinds = schema.get("type")
        if kinds == "array" or (isinstance(kinds, list) and "array" in kinds):
            assert "items" in schema, schema


def test_amounts_of_minor_units_have_64_bits() -> None:
    amounts = [
        (name, schema["properties"]["amount"])
        for name, schema in SCHEMAS.items()
        if "amount" in schema["properties"] and "number" not in schema["properties"]["amount"]["type"]
    ]

    assert {"CreatePaymentLink", "PaymentLink", "AuthorizeWalletPayment", "WalletTransaction"} <= {
        name for name, _ in amounts
    }
    assert {amount["format"] for _, amount in amounts} == {"int64"}


OF_PYTHON = re.compile(
    r"paths=|\b[A-Z]\w+Error\b|\bNone\b|\bTrue\b|\bFalse\b|\brepr\b|Decimal|datetime|`raw`|pickle|`int`|\bint\b|``"
    r"|from_headers|encrypt_|`Card`|requires_3ds|redirect_url|\braise|the library|by itself|\bmapping\b"
    r"|this call|an error of|timeout|\bclient\b|unless given;"
)


def test_no_words_of_python_are_said_of_the_api() -> None:
    said = [
        text
        for within in every_schema({key: DOCUMENT[key] for key in ("paths", "tags", "components")})
        for key in ("summary", "description")
        if isinstance(text := within.get(key), str)
    ]

    assert len(said) > 300
    assert [text for text in said if OF_PYTHON.search(text)] == []


def test_fields_are_called_as_on_the_wire() -> None:
    on_the_wire = {name for schema in SCHEMAS.values() for name in schema["properties"]}
    on_the_wire |= {each["name"] for one in OPERATIONS.values() for each in one.get("parameters", ())}
    values = {"cof_initial", "low_value", "pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f"}
    called = {
        name
        for within in every_schema({key: DOCUMENT[key] for key in ("paths", "tags", "components")})
        for key in ("summary", "description")
        if isinstance(text := within.get(key), str)
        for name in re.findall(r"`([A-Za-z]+_\w+)`", text)
    }

    assert called - values <= on_the_wire


def test_what_makes_a_call_repeatable_is_made_by_the_caller() -> None:
    order = SCHEMAS["CreateSettlementOrder"]
    (key,) = OPERATIONS["wallet.authorize"]["parameters"]

    assert "requestId" in order["required"]
    assert key["required"]
    for told in (order["properties"]["requestId"]["description"], key["description"]):
        assert "new UUID" in told
        assert told.endswith("for each order, and keep it over all repeats of its request.")


def test_names_places_and_types_are_those_of_the_wire() -> None:
    create = SCHEMAS["CreatePaymentLink"]
    assert create["required"] == ["amount", "currency"]
    assert create["properties"]["amount"]["type"] == "integer"
    assert create["properties"]["amount"]["format"] == "int64"
    assert "**minor** units" in create["properties"]["amount"]["description"]
    assert create["properties"]["expiresAt"]["format"] == "date-time"
    assert "callbackUrl" in create["properties"]["metadata"]["properties"]
    assert not {"extra", "successUrl", "success_url"} & create["properties"].keys()
    transaction = SCHEMAS["Transaction"]
    assert transaction["required"] == ["status"]
    assert "\n\nOne of `transactionId` and `id` is there.\n\n" in transaction["description"]
    assert transaction["properties"]["amount"]["type"] == ["number", "null"]
    assert "charged" in transaction["properties"]["status"]["x-known-values"]
    (key,) = DOCUMENT["paths"]["/v1/wallet/authorize"]["post"]["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert "Idempotency-Key" not in SCHEMAS["AuthorizeWalletPayment"]["properties"]
    assert DOCUMENT["components"]["securitySchemes"]["apiKey"]["name"] == "Authorization"


PUBLISHED = [
    ("payment-link-create.request.json", "payment_links.create", "request"),
    ("payment-link.json", "payment_links.create", "201"),
    ("payment-link.json", "payment_links.retrieve", "200"),
    ("payment-link.newer.json", "payment_links.create", "201"),
    ("payment-link.newer.json", "payment_links.cancel", "200"),
    ("payment-links-page.json", "payment_links.list", "200"),
    ("transaction.json", "transactions.retrieve", "200"),
    ("v1.transaction-live-other-spelling.json", "transactions.retrieve", "200"),
    ("transactions-page.json", "transactions.list", "200"),
    ("v1-2023.payment-search.json", "payments.search", "200"),
    ("v1-2023.cancel.json", "payments.cancel", "200"),
    ("v1-2023.capture.request.json", "payments.capture", "request"),
    ("capture.json", "payments.capture", "200"),
    ("v1-2023.refund.request.json", "payments.refund", "request"),
    ("v1-2023.refund-full.request.json", "payments.refund", "request"),
    ("refund.json", "payments.refund", "200"),
    ("v1-2023.direct-payment-create.request.json", "direct_payments.create", "request"),
    ("direct-payment-3ds.json", "direct_payments.create", "200"),
    ("v1-2023.direct-payment-declined.json", "direct_payments.create", "200"),
    ("v1-2023.direct-payment-continue-3ds.request.json", "direct_payments.continue_3ds", "request"),
    ("v1-2023.direct-payment-continued.json", "direct_payments.continue_3ds", "200"),
    ("merchant-initiated.request.json", "recurring.charge", "request"),
    ("merchant-initiated.json", "recurring.charge", "200"),
    *(
        (f"error{kind}.json", "payment_links.create", "default")
        for kind in ("", "-string-code", "-padded-code", "-message-only.http500")
    ),
]
OPERATIONS = {
    operation["operationId"]: operation
    for of_path in DOCUMENT["paths"].values()
    for operation in of_path.values()
}


def schema_of(operation: str, part: str) -> Any:
    """Return the schema of an operation's request, or of its answer with a status."""
    described = OPERATIONS[operation]
    found = described["requestBody"] if part == "request" else described["responses"][part]
    if "$ref" in found:
        found = DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]]
    return found["content"]["application/json"]["schema"]


def faults(schema: Any, document: Any) -> list[str]:
    """Return what a schema of the document, or the one of this name, says against a body."""
    validator: Any = import_module("jsonschema").Draft202012Validator
    if isinstance(schema, str):
        schema = {"$ref": f"#/components/schemas/{schema}"}
    components = {"components": DOCUMENT["components"]}
    return [error.message for error in validator({**schema, **components}).iter_errors(document)]


@needs("jsonschema")
@pytest.mark.parametrize(("example", "operation", "part"), PUBLISHED)
def test_what_is_published_fits_its_schema(example: str, operation: str, part: str) -> None:
    schema = schema_of(operation, part)

    assert faults(schema, json.loads((EXAMPLES / example).read_bytes())) == []
    assert faults(schema, "text"), "the schema refuses something"


def test_every_published_request_and_answer_is_tried() -> None:
    files = {path.name for path in EXAMPLES.glob("*.json") if not path.name.startswith("webhook-")}

    assert {example for example, *_ in PUBLISHED} == files


@needs("jsonschema")
@pytest.mark.parametrize("operation", ["payments.capture", "payments.refund"])
def test_no_amount_is_the_whole_of_it(operation: str) -> None:
    for document in ({"amount": None}, {}):
        assert faults(schema_of(operation, "request"), document) == []


def direct_payment() -> Any:
    return json.loads((EXAMPLES / "v1-2023.direct-payment-create.request.json").read_bytes())


BILLED = ("firstName", "lastName", "addressLine1", "addressLine2", "postalCode", "phone", "country")
REQUIRED_IN_2023 = [
    ("terminalId",),
    ("threeDSNotificationUrl",),
    ("customerDetails",),
    ("customerDetails", "billingAddress"),
    *(("customerDetails", "billingAddress", name) for name in BILLED),
    ("cardData", "encryptedCvv"),
    ("cardData", "encryptedCardholderName"),
    ("recurring", "parentTransactionId"),
]


@needs("jsonschema")
@pytest.mark.parametrize("path", REQUIRED_IN_2023, ids=".".join)
@pytest.mark.parametrize("instead", ["nothing", "null"])
def test_what_the_table_of_2023_requires_is_required(path: tuple[str, ...], instead: str) -> None:
    document = direct_payment()
    # In the example a card is sent whole and by its token as well.
    del document["cardData"]["tokenId"]
    assert faults("CreateDirectPayment", document) == []
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = None
    if instead == "nothing":
        del inner[path[-1]]

    assert faults("CreateDirectPayment", document)


@needs("jsonschema")
def test_what_the_table_of_2023_does_not_require_is_not() -> None:
    document = direct_payment()
    document["cardData"] = {"tokenId": "t"}
    document["recurring"] = {"recurringType": "cof_initial"}
    del document["customerDetails"]["deliveryAddress"]["phone"]
    for inner, names in (
        (document, ("externalUserId", "skipThreeDS", "moto", "scaExemption")),
        (document["customerDetails"]["billingAddress"], ("city",)),
        (document["customerDetails"], ("email",)),
    ):
        for name in names:
            del inner[name]

    assert faults("CreateDirectPayment", document) == []


def test_a_docstring_in_its_parts() -> None:
    told = docstring_of(WaitForTransaction, PAY.package)

    assert told.summary.startswith("Wait until a transaction is paid")
    assert told.evidence == ("Evidence: that of the retrieval that is asked; states published.",)
    assert told.arguments["id"] == "The transaction's `id`."
    assert told.arguments["order_reference"].endswith("then `payments.search`.")
    assert told.returns == "The `Transaction` as it was found last."


def test_what_is_said_below_a_field_is_its_description() -> None:
    described = field_descriptions(Payment, PAY.package)

    assert described["card_scheme"] == "Such as `visa`."
    assert described["rrn"] == "The acquirer's retrieval reference number.", "of the base class"


def test_a_page_and_its_query_have_the_names_of_their_api() -> None:
    listed = openapi_document(GATE, "https://gate.example")["paths"]["/agent/{agent_id}/orders"]["get"]
    parameters = {parameter["name"]: parameter["in"] for parameter in listed["parameters"]}
    page = listed["responses"]["200"]["content"]["application/json"]["schema"]

    assert parameters == {
        "agent_id": "path",
        "status": "query",
        "product_id": "query",
        "pageSize": "query",
        "page": "query",
    }
    assert set(page["properties"]) == {"items", "page", "pageSize", "total"}
    assert page["required"] == ["items"]


def test_a_list_without_pages_is_an_array() -> None:
    paths = openapi_document(GATE, "https://gate.example")["paths"]
    listed = paths["/agent/{agent_id}/product-types"]["get"]

    assert [parameter["name"] for parameter in listed["parameters"]] == ["agent_id"]
    schema = listed["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"type": "array", "items": {"$ref": "#/components/schemas/ProductType"}}


def test_an_amount_that_is_text_and_a_secret_are_described_as_they_are_sent() -> None:
    schemas = openapi_document(GATE, "https://gate.example")["components"]["schemas"]

    assert schemas["TopupRequest"]["properties"]["amount"]["type"] == "string"
    assert schemas["Order"]["properties"]["charged_amount"]["type"] == ["string", "null"]
    assert schemas["Order"]["properties"]["order_content"]["type"] == ["object", "null"]
    assert schemas["Product"]["properties"]["price"]["type"] == ["number", "null"]
