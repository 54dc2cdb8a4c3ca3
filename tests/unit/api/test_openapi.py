from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from pydantic import TypeAdapter

from api import account_schemas, people_schemas, schemas
from api.main import create_app
from api.openapi_examples import EXAMPLES
from api.operations import schemas as operations_schemas
from api.settings import ApiSettings

SHAPES = {
    "/v1/towns": schemas.Towns,
    "/v1/towns/{town}/overview": schemas.Overview,
    "/v1/towns/{town}/{domain}": operations_schemas.DomainView,
    "/v1/towns/{town}/{domain}/map": operations_schemas.DomainMap,
    "/v1/towns/{town}/{domain}/ranking": operations_schemas.Ranking,
    "/v1/towns/{town}/{domain}/summary": operations_schemas.DomainSummary,
    "/v1/sites/{site}": operations_schemas.SiteView,
    "/v1/statistics": operations_schemas.TownStatistics,
    "/v1/devices": schemas.Devices,
    "/v1/devices/{device}": schemas.DeviceDetail,
    "/v1/devices/{device}/latest": schemas.DeviceLatest,
    "/v1/devices/{device}/rejections": schemas.Rejections,
    "/v1/datastreams/{datastream}/observations": schemas.Observations,
    "/v1/datastreams/{datastream}/statistics": schemas.Statistics,
    "/v1/rejections": schemas.Rejections,
    "/v1/rejections/replay/{replay}": account_schemas.Replay,
    "/v1/ledger": account_schemas.Ledger,
    "/v1/session": people_schemas.SessionState,
    "/readyz": schemas.Readiness,
}
REDIRECTS = {"/v1/session/openid", "/v1/session/openid/done"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    settings = ApiSettings(read_database_url="postgresql://reader@127.0.0.1/thubon", api_token="x" * 32)
    return create_app(settings).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_the_paths_are_those_of_the_contract(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {*SHAPES, "/v1/rejections/replay", "/v1/live", "/healthz", "/metrics", *REDIRECTS}
    assert set(document["paths"]["/v1/session"]) == {"get", "post", "delete"}


def test_every_operation_is_described_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        place = f"{method} {path}"
        assert operation["summary"], place
        assert operation["description"], place
        assert operation["tags"], place
        good = {status: answer for status, answer in operation["responses"].items() if status.startswith(("2", "3"))}
        assert len(good) == 1, place
        for content in good.get("200", {"content": {}})["content"].values():
            assert content["schema"], place
            assert content["example"] == EXAMPLES[method, path], place
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{place} {parameter['name']}"


def test_every_example_is_of_its_shape() -> None:
    for path, shape in SHAPES.items():
        TypeAdapter(shape).validate_python(EXAMPLES["get", path], extra="forbid")


def test_every_refusal_is_a_problem_detail_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        refused = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
        assert "422" not in refused
        if path.startswith("/v1"):
            assert "400" in refused, (method, path)
        for status, answer in refused.items():
            if path == "/readyz":
                continue
            assert set(answer["content"]) == {"application/problem+json"}
            problem = answer["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/ProblemDetail"}
            TypeAdapter(schemas.ProblemDetail).validate_python(problem["example"], extra="forbid")
            assert problem["example"]["title"] == HTTPStatus(int(status)).phrase


def test_what_asks_for_a_login_says_so(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        guarded = path.startswith("/v1/") and not path.startswith("/v1/session")
        assert bool(operation.get("security")) == guarded, (method, path)
        assert not guarded or {"401", "503"} <= set(operation["responses"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*(references(member) for member in value.values()))
        if isinstance(value, list):
            return set().union(*(references(member) for member in value))
        return set()

    found = references(document)

    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
