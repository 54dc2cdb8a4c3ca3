"""What compose promises: who is reached from outside, who runs as whom, and what they may write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class _UniqueKeys(yaml.SafeLoader):
    """Refuses what compose refuses and PyYAML overlooks: a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        merged = {"tag:yaml.org,2002:merge"}
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag not in merged]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{node.start_mark}: twice: {', '.join(twice)}")
        return super().construct_mapping(node, deep=deep)


COMPOSE: dict[str, Any] = yaml.load((ROOT / "compose.yaml").read_text(encoding="utf-8"), _UniqueKeys)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _networks(service: dict[str, Any]) -> set[str]:
    return set(service["networks"])


def _user(service: dict[str, Any]) -> str | None:
    """The user it runs as: its own word, or that of its image."""
    if "user" in service:
        return str(service["user"])
    stage = DOCKERFILE.partition(f" AS {service['build']['target']}\n")[2].partition("\nFROM ")[0]
    users = re.findall(r"^USER (\S+)", stage, re.MULTILINE)
    return users[-1] if users else None


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_an_ordinary_user_that_can_write_to_its_volumes_alone(name: str) -> None:
    service = SERVICES[name]
    assert _user(service) not in {None, "root", "0"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]


def test_only_broker_and_api_are_reached_and_only_they_lead_outside() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"broker", "api"}
    outward = {name for name, network in COMPOSE["networks"].items() if not (network or {}).get("internal")}
    assert outward == {"door"}
    assert {name for name, service in SERVICES.items() if _networks(service) & outward} == {"broker", "api"}


def test_the_broker_does_not_reach_the_database_nor_devices_anything_else() -> None:
    assert "data" not in _networks(SERVICES["broker"])
    assert _networks(SERVICES["timescaledb"]) == {"data"}
    assert _networks(SERVICES["simulators"]) == {"broker"}


def test_what_is_not_encrypted_stays_on_loopback() -> None:
    for port in SERVICES["broker"]["ports"]:
        assert port.startswith("127.0.0.1:") or port.endswith((":8883", ":8884"))
    assert sum(port.endswith(":1883") for port in SERVICES["broker"]["ports"]) == 1


def test_one_program_alone_writes_the_accounts_of_the_broker() -> None:
    writers = [
        name
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if volume.startswith("broker_accounts:") and not volume.endswith(":ro")
    ]
    assert writers == ["identity"]


def test_each_service_has_the_secrets_it_needs_and_no_administrator_s() -> None:
    for name, service in SERVICES.items():
        given = {each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])}
        assert given <= set(COMPOSE["secrets"]), name
        if name not in {"timescaledb", "migrate"}:
            assert not given & {"administrator_password", "migrate_database_url"}, name
        # The key that signs certificates is nobody's.
        assert not [secret for secret in given if "ca.key" in COMPOSE["secrets"][secret]["file"]]


def test_a_key_that_stands_twice_is_seen() -> None:
    with pytest.raises(ValueError, match="twice: a"):
        yaml.load("b: {a: 1, a: 2}", _UniqueKeys)
