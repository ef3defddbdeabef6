"""One more API needs a description, its groups and its clients, and nothing of the core."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from plexypay_async import (
    APIError,
    ConfigurationError,
    IdempotencyError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    RefusedError,
    RetryPolicy,
    SomethingWentWrongError,
    UnreadableResponseError,
)
from tests.fourth_api.clients import AsyncParcels, SyncParcels

from .scripted import DROP, SHORT, Answer, Script, Server, serving

PARCELS = "/depots/d%2F1/parcels"
LABELLED = Answer(201, {"label": "L-1", "weight": 5})
OPTIONS: dict[str, Any] = {"depot_id": "d/1", "till": "t1", "retry": SHORT, "timeout": 5.0}


def fault(status: int, **fields: Any) -> Answer:
    return Answer(status, {"fault": fields})


@pytest.fixture(params=["async", "sync"])
def call(request: pytest.FixtureRequest) -> Any:
    """Perform something with a client of either kind, against a script."""

    def of_the_async(client: AsyncParcels, name: str, arguments: Any) -> Any:
        group, _, attribute = name.partition(".")
        return getattr(getattr(client, group), attribute)(**arguments)

    async def perform(script: Script, name: str, **arguments: Any) -> Any:
        async with serving(script) as server:
            if request.param == "async":
                async with AsyncParcels("key", base_url=server.url, **OPTIONS) as client:
                    made = of_the_async(client, name, arguments)
                    return await made.first_page() if name.endswith(".list") else await made
            return await asyncio.to_thread(in_thread, server, name, arguments)

    def in_thread(server: Server, name: str, arguments: Any) -> Any:
        with SyncParcels("key", base_url=server.url, **OPTIONS) as client:
            made = of_the_async(client, name, arguments)  # type: ignore[arg-type]
            return made.first_page() if name.endswith(".list") else made

    return perform


@pytest.mark.asyncio
async def test_the_key_and_what_the_client_was_made_with_go_out(call: Any) -> None:
    script = Script({f"POST {PARCELS}": LABELLED})
    made = await call(script, "parcels.create", weight=5)

    (seen,) = script.seen
    assert (made.label, made.weight) == ("L-1", 5)
    assert seen.headers["x-parcel-key"] == "key"
    assert "authorization" not in seen.headers
    assert seen.json == {"weight": 5, "till": "t1"}
    assert seen.headers["idempotency-key"]


@pytest.mark.asyncio
async def test_what_a_call_gives_goes_before_what_the_client_has(call: Any) -> None:
    script = Script({f"POST {PARCELS}": LABELLED})
    await call(script, "parcels.create", weight=5, till="t2")
    assert script.seen[0].json["till"] == "t2"


@pytest.mark.asyncio
async def test_the_same_key_goes_out_again_after_a_lost_answer(call: Any) -> None:
    script = Script({f"POST {PARCELS}": [DROP, Answer(502, b"<html>"), Answer(503, b""), LABELLED]})
    assert (await call(script, "parcels.create", weight=5)).label == "L-1"
    assert len({seen.headers["idempotency-key"] for seen in script.seen}) == 1
    assert len(script.seen) == 4


@pytest.mark.asyncio
async def test_a_key_that_is_at_work_is_waited_for(call: Any) -> None:
    in_use = fault(409, reason="key_in_use", text="at work", type="mistake")
    script = Script({f"POST {PARCELS}": [DROP, in_use, in_use, LABELLED]})
    assert (await call(script, "parcels.create", weight=5)).label == "L-1"
    assert len(script.seen) == 4


@pytest.mark.asyncio
async def test_a_key_that_was_used_before_is_an_error_of_its_own(call: Any) -> None:
    script = Script({f"POST {PARCELS}": fault(409, reason="key_in_use", text="used", trace="t-9")})
    with pytest.raises(IdempotencyError) as caught:
        await call(script, "parcels.create", weight=5, idempotency_key="mine")
    error = caught.value
    assert (error.outcome, error.idempotency_key, error.request_id) == (Outcome.UNKNOWN, "mine", "t-9")
    assert len(script.seen) == 1


@pytest.mark.asyncio
async def test_an_error_is_read_by_its_names(call: Any) -> None:
    answer = fault(422, reason="too_heavy", text="at most 30 kg", field="weight", type="mistake", trace="t-1")
    script = Script({f"POST {PARCELS}": answer})
    with pytest.raises(APIError) as caught:
        await call(script, "parcels.create", weight=5)
    error = caught.value
    assert (error.code, error.message, error.param) == ("too_heavy", "at most 30 kg", "weight")
    assert (error.type, error.request_id, error.status) == ("mistake", "t-1", 422)
    assert error.outcome is Outcome.REJECTED
    assert error.idempotency_key is not None
    assert error.raw == answer.body


@pytest.mark.asyncio
async def test_a_code_has_the_class_that_the_description_gives_it(call: Any) -> None:
    with pytest.raises(NotFoundError):
        await call(
            Script({f"POST {PARCELS}": fault(410, reason="gone", text="no")}), "parcels.create", weight=5
        )


@pytest.mark.asyncio
async def test_an_error_of_a_declining_type_is_a_refusal(call: Any) -> None:
    answer = fault(402, reason="unpaid", text="pay first", type="refusal")
    with pytest.raises(RefusedError) as caught:
        await call(Script({f"POST {PARCELS}": answer}), "parcels.create", weight=5)
    assert (caught.value.code, caught.value.message, caught.value.status) == ("unpaid", "pay first", 402)
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.asyncio
async def test_an_error_of_the_api_in_a_5xx_leaves_the_outcome_open(call: Any) -> None:
    """Even where its class says that nothing was done: the work may have been begun."""
    script = Script({f"POST {PARCELS}": fault(500, reason="gone", text="no", type="refusal")})
    with pytest.raises(OutcomeUnknownError) as caught:
        await call(script, "parcels.create", weight=5)
    assert isinstance(caught.value.__cause__, SomethingWentWrongError)
    assert len(script.seen) == 1, "500 is none of the statuses that this API's description lets be repeated"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"fault": {"reason": "gone", "text": "no"}}),
        Answer(200, {"weight": 5}),
        Answer(200, {"label": "", "weight": 5}),
        Answer(200, {"label": "L-1", "fault": {"reason": "gone"}}),
        Answer(200, {}),
    ],
    ids=lambda answer: json.dumps(answer.body),
)
async def test_a_success_without_its_proof_is_none(call: Any, answer: Answer) -> None:
    script = Script({f"POST {PARCELS}": answer})
    with pytest.raises((OutcomeUnknownError, UnreadableResponseError)) as caught:
        await call(script, "parcels.create", weight=5)
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.asyncio
async def test_a_post_that_reads_needs_no_proof_and_is_repeated(call: Any) -> None:
    script = Script({"POST /depots/d%2F1/quotes": [DROP, Answer(503, b""), Answer(200, {"price": 7})]})
    assert (await call(script, "parcels.quote", weight=5)).price == 7


@pytest.mark.asyncio
async def test_a_page_is_asked_for_and_read_by_the_apis_names(call: Any) -> None:
    rows = [{"label": f"L-{number}"} for number in range(2)]
    page = Answer(200, {"rows": rows, "page": 1, "per_page": 2, "total": 2})
    script = Script({f"GET {PARCELS}": page})
    found = await call(script, "parcels.list", size=2)
    assert [each.label for each in found.items] == ["L-0", "L-1"]
    assert (found.total, found.size) == (2, 2)
    assert script.seen[0].query == "page=1&per_page=2"


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [[{"name": "north"}], {"rows": [{"name": "north"}]}])
async def test_a_list_that_is_not_paged_is_asked_for_once(call: Any, answer: Any) -> None:
    script = Script({"GET /depots": Answer(200, answer)})
    found = await call(script, "depots.list")
    assert [each.name for each in found.items] == ["north"]
    assert found.next_cursor is None
    assert [(seen.path, seen.query) for seen in script.seen] == [("/depots", "")]


@pytest.mark.asyncio
async def test_a_policy_of_the_callers_goes_before_the_apis() -> None:
    script = Script({f"POST {PARCELS}": fault(500, reason="odd", text="no")})
    options = {**OPTIONS, "retry": RetryPolicy(max_attempts=3, base=0, cap=0, codes=[500])}
    async with serving(script) as server, AsyncParcels("key", base_url=server.url, **options) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.parcels.create(weight=5)
    assert len(script.seen) == 3


@pytest.mark.parametrize("client", [AsyncParcels, SyncParcels])
def test_what_a_client_needs_is_named(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARCELS_BASE_URL", "PARCELS_KEY", "PARCELS_DEPOT", "TILL"):
        monkeypatch.delenv(name, raising=False)
    url = "https://parcels.example"
    with pytest.raises(ConfigurationError, match="pass api_key or set PARCELS_KEY"):
        client(base_url=url, depot_id="d")
    with pytest.raises(ConfigurationError, match=r"base_url: missing.*Parcel Works.*PARCELS_BASE_URL"):
        client("key", depot_id="d")
    with pytest.raises(ConfigurationError, match="depot_id: missing; pass depot_id, or set PARCELS_DEPOT"):
        client("key", base_url=url)
    for wrong in ("", " d", "..", "a\nb", 5):
        with pytest.raises(ConfigurationError, match="depot_id: expected an id as text"):
            client("key", base_url=url, depot_id=wrong)
    monkeypatch.setenv("PARCELS_DEPOT", "d")
    monkeypatch.setenv("PARCELS_BASE_URL", url)
    monkeypatch.setenv("PARCELS_KEY", "key")
    assert repr(client()) == f"<{client.__name__} {url}>"


@pytest.mark.asyncio
async def test_a_parameter_that_nobody_gives_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TILL", raising=False)
    async with AsyncParcels("key", base_url="https://parcels.example", depot_id="d") as client:
        with pytest.raises(ConfigurationError, match="till: missing; give it to the client, or to the call"):
            await client.parcels.create(weight=5)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["X-Parcel-Key", "x-parcel-key", "Authorization"])
async def test_no_header_takes_the_keys_place(name: str) -> None:
    options: dict[str, Any] = {"base_url": "https://parcels.example", "depot_id": "d"}
    async with AsyncParcels("key", **options) as client:
        for refused in (
            lambda: AsyncParcels("key", default_headers={name: "other"}, **options),
            lambda: client.parcels.quote.with_options(headers={name: "other"}),
        ):
            with pytest.raises(ConfigurationError, match="is the client's own"):
                refused()
        with pytest.raises(ConfigurationError, match="is the client's own"):
            await client.request("GET", "/depots", headers={name: "other"})


@pytest.mark.asyncio
async def test_another_path_keeps_what_the_client_was_made_with() -> None:
    script = Script({"POST /v9/d%2F1/send": LABELLED})
    async with serving(script) as server:
        paths = {"parcels.create": "/v9/{depot_id}/send"}
        async with AsyncParcels("key", base_url=server.url, paths=paths, **OPTIONS) as client:
            assert (await client.parcels.create(weight=5)).label == "L-1"
    with pytest.raises(ConfigurationError, match="expected the parameters of"):
        AsyncParcels("key", base_url="https://x.example", paths={"parcels.create": "/{other}"}, **OPTIONS)
