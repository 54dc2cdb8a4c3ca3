from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from pydantic import TypeAdapter

from api import account_schemas, credential_schemas, history_schemas, people_schemas, registry_schemas, schemas
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
    "/v1/devices/{device}/credentials": credential_schemas.DeviceCredentials,
    "/v1/broker-accounts": credential_schemas.BrokerAccounts,
    "/v1/devices/{device}/rejections": history_schemas.Rejections,
    "/v1/datastreams/{datastream}/observations": history_schemas.Observations,
    "/v1/datastreams/{datastream}/statistics": history_schemas.Statistics,
    "/v1/rejections": history_schemas.Rejections,
    "/v1/rejections/replay/{replay}": account_schemas.Replay,
    "/v1/ledger": account_schemas.Ledger,
    "/v1/session": people_schemas.SessionState,
    "/v1/users": people_schemas.Users,
    "/v1/users/{user}": people_schemas.User,
    "/v1/api-keys": people_schemas.ApiKeys,
    "/v1/audit": people_schemas.AuditPage,
    "/readyz": schemas.Readiness,
    "/v1/sites": registry_schemas.Sites,
    "/v1/towns/{town}": registry_schemas.KeptTown,
    "/v1/wards": registry_schemas.Wards,
    "/v1/devices/{device}/installation": registry_schemas.Installation,
    "/v1/knocks": registry_schemas.Knocks,
}
CHANGES = {
    ("post", "/v1/devices/{device}/credentials"): credential_schemas.IssuedCredential,
    ("post", "/v1/devices/{device}/credentials/rotate"): credential_schemas.IssuedCredential,
    ("delete", "/v1/devices/{device}/credentials/{credential}"): credential_schemas.DeviceCredentials,
    ("post", "/v1/towns"): registry_schemas.KeptTown,
    ("patch", "/v1/towns/{town}"): registry_schemas.KeptTown,
    ("post", "/v1/towns/{town}/retire"): registry_schemas.KeptTown,
    ("post", "/v1/towns/{town}/reinstate"): registry_schemas.KeptTown,
    ("post", "/v1/sites"): registry_schemas.ChangedSite,
    ("patch", "/v1/sites/{site}"): registry_schemas.ChangedSite,
    ("post", "/v1/sites/{site}/retire"): registry_schemas.ChangedSite,
    ("post", "/v1/sites/{site}/reinstate"): registry_schemas.ChangedSite,
    ("post", "/v1/devices"): registry_schemas.KeptDevice,
    ("patch", "/v1/devices/{device}"): registry_schemas.KeptDevice,
    ("post", "/v1/devices/{device}/move"): registry_schemas.MovedDevice,
    ("post", "/v1/devices/{device}/retire"): registry_schemas.KeptDevice,
    ("post", "/v1/devices/{device}/reinstate"): registry_schemas.KeptDevice,
    ("post", "/v1/devices/{device}/claim-code"): registry_schemas.ClaimCode,
    ("post", "/v1/claims"): registry_schemas.Claim,
    ("post", "/v1/registry/import"): registry_schemas.Import,
    ("post", "/v1/knocks/{device}/accept"): registry_schemas.KeptDevice,
    ("post", "/v1/knocks/{device}/refuse"): registry_schemas.RefusedKnock,
    ("post", "/v1/knocks/{device}/forgive"): registry_schemas.RefusedKnock,
}
FILES = {"/v1/registry/export", "/v1/registry/labels"}
REDIRECTS = {"/v1/session/openid", "/v1/session/openid/done"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    settings = ApiSettings(read_database_url="postgresql://reader@127.0.0.1/thubon", api_token="x" * 32)
    return create_app(settings).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_the_paths_are_those_of_the_contract(document: dict[str, Any]) -> None:
    others = {"/v1/rejections/replay", "/v1/live", "/healthz", "/metrics", *REDIRECTS, *FILES, "/v1/api-keys/{key}"}
    assert set(document["paths"]) == {*SHAPES, *others, *(path for _, path in CHANGES)}
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
    for operation, shape in CHANGES.items():
        TypeAdapter(shape).validate_python(EXAMPLES[operation], extra="forbid")


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
