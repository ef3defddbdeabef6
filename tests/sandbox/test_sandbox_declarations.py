"""The sandbox serves what is declared, and knows the errors that have a class: nothing is listed twice."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
import pytest

from plexypay_async.api.description import API
from plexypay_async.api.facades import F
from plexypay_async.api.fields import Model, Request
from plexypay_async.api.index import every_declaration
from plexypay_async.api.operation import Declaration, Evidence, Listing, Operation, Resource, declarations
from plexypay_async.apis import APIS
from plexypay_async.errors import APIError
from plexypay_async.pay.description import PAY
from plexypay_async.sandbox import Fault, Sandbox, server
from plexypay_async.sandbox.exchange import ApiRequest, ApiResponse
from plexypay_async.sandbox.handlers.group import GroupHandlers, name_in_sandbox


@attrs.frozen(kw_only=True)
class RetrieveInvoice(Request):
    id: str


@attrs.frozen(kw_only=True)
class ListInvoices(Request):
    size: int | None = None


@attrs.frozen(kw_only=True)
class Invoice(Model):
    id: str


class Invoices(Resource[F], api=PAY):
    retrieve = Operation("GET", "/v1/invoices/{id}", RetrieveInvoice, Invoice, evidence=Evidence.ASSUMED)
    list = Listing("/v1/invoices", ListInvoices, Invoice, evidence=Evidence.ASSUMED)


class MoreOfPaymentLinks(Resource[F], api=PAY):
    group: ClassVar[str] = "payment_links"

    remind = Operation(
        "GET", "/v1/payment-links/{id}/reminder", RetrieveInvoice, Invoice, evidence=Evidence.ASSUMED
    )


class InvoicesHandlers(GroupHandlers):
    source = "invoices"
    noun = "invoice"

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        known = {"in_1": {"id": "in_1"}}
        return ApiResponse(200, self._found(known.get(request.path["id"])))

    def list(self, request: ApiRequest) -> ApiResponse:
        return self._page(request).response(lambda offset, size: ([{"id": "one"}], 1))


def declare(monkeypatch: pytest.MonkeyPatch, *groups: type[Resource[Any]]) -> None:
    def declared(api: API) -> Iterator[Declaration[...]]:
        yield from every_declaration(api)
        for group in groups if api is PAY else ():
            yield from declarations(group).values()

    monkeypatch.setattr(server, "every_declaration", declared)


@pytest.mark.asyncio
async def test_every_declaration_is_served(sandbox: Sandbox) -> None:
    declared = {
        name_in_sandbox(one): (one.method, one.path) for api in APIS for one in every_declaration(api)
    }
    assert sandbox.served() == declared


def test_operations_without_a_handler_are_named_when_the_sandbox_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(monkeypatch, MoreOfPaymentLinks)
    with pytest.raises(NotImplementedError, match=r"no handler for payment_links\.remind$"):
        Sandbox()
    declare(monkeypatch, MoreOfPaymentLinks, Invoices)
    with pytest.raises(
        NotImplementedError, match=r"payment_links\.remind, invoices\.retrieve, invoices\.list$"
    ):
        Sandbox()


@pytest.mark.asyncio
async def test_a_group_needs_its_declarations_and_its_handlers_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, session: Any
) -> None:
    declare(monkeypatch, Invoices)
    module = types.ModuleType("plexypay_async.sandbox.handlers.invoices")
    vars(module)["InvoicesHandlers"] = InvoicesHandlers
    monkeypatch.setitem(sys.modules, module.__name__, module)
    async with Sandbox() as sandbox:

        async def ask(path: str) -> tuple[int, Any]:
            headers = {"Authorization": sandbox.api_key}
            async with session.get(sandbox.base_url + path, headers=headers) as response:
                assert response.headers["X-Evidence"] == "assumed"
                return response.status, await response.json()

        assert await ask("/v1/invoices/in_1") == (200, {"id": "in_1"})
        assert (await ask("/v1/invoices"))[1] == {"data": [{"id": "one"}], "page": 1, "size": 10, "total": 1}
        status, refused = await ask("/v1/invoices/none")
        assert (status, refused["message"], refused["source"]) == (404, "invoice not found", "invoices")


def test_a_handler_that_cannot_be_imported_is_not_taken_for_a_missing_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(ModuleNotFoundError, match="elsewhere"):
        Sandbox()


@pytest.fixture
def code_six() -> Iterator[None]:
    """A class for code 6, for the length of a test."""
    vars_of_class = {"api_code": 6, "__doc__": "Code 6."}
    made = [type("LockedError", (APIError,), vars_of_class)]
    yield
    made.clear()
    gc.collect()


@pytest.mark.asyncio
@pytest.mark.usefixtures("code_six")
async def test_faults_accept_every_code_that_has_a_class(session: Any) -> None:
    assert Fault.parse("code=6") == Fault(code=6)
    with pytest.raises(ValueError, match=r"^code: expected a whole number from 1 to 6, got 7$"):
        Fault(code=7)
    async with Sandbox(faults=["code=6"]) as sandbox:
        url, headers = f"{sandbox.base_url}/v1/payment-links", {"Authorization": sandbox.api_key}
        async with session.get(url, headers=headers) as response:
            assert response.status == 400
            assert await response.json() == {
                "code": 6,
                "message": "error 6",
                "source": "keys",
                "type": "apiError",
            }


def test_faults_accept_no_code_without_a_class() -> None:
    with pytest.raises(ValueError, match=r"^code: expected a whole number from 1 to 5, got 6$"):
        Fault(code=6)


def test_faults_accept_no_code_between_two_that_have_a_class() -> None:
    made = [type("FarError", (APIError,), {"api_code": 8})]
    try:
        assert Fault(code=8).code == 8
        with pytest.raises(ValueError, match=r"^code: expected one of 1, 2, 3, 4, 5, 8, got 7$"):
            Fault(code=7)
    finally:
        made.clear()
        gc.collect()
