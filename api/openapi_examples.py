"""One example of a good answer for each operation; tests hold them against the shapes."""

from typing import Any, Final

from api.history_examples import DATASTREAM, HISTORY_EXAMPLES
from api.operations.examples import ALARM, OPERATIONS_EXAMPLES
from api.registry_examples import REGISTRY_EXAMPLES

_NAME: Final = {"vi": "Bụi PM2.5", "en": "PM2.5"}
_COUNTS: Final = {"online": 96, "stale": 2, "offline": 1, "never-seen": 0, "retired": 1}
_TOWN: Final = {
    "id": "hoi-an",
    "name": {"vi": "Hội An", "en": "Hoi An"},
    "latitude": 15.88,
    "longitude": 108.335,
    "bbox": [108.28, 15.83, 108.41, 15.94],
    "devices": _COUNTS,
}
_SITE: Final = {
    "id": "hoi-an-cua-dai",
    "name": "Cửa Đại",
    "kind": "station",
    "latitude": 15.8801,
    "longitude": 108.3701,
}
_VALUE: Final = {
    "datastream": "hoi-an-air-01:pm25",
    "name": "pm25",
    "property": "pm25",
    "label": _NAME,
    "value": 31.2,
    "unit": "ug/m3",
    "phenomenon_time": "2026-11-23T02:15:00Z",
    "quality": 0,
    "flags": [],
    "age_s": 12.412,
}
_CREDENTIALS: Final = {
    "device": "hoi-an-air-01",
    "user_name": "hoi-an-air-01",
    "broker": None,
    "items": [
        {
            "id": "6f1f1c1e-7f0e-4c63-9a53-0f6f0c1d2e3f",
            "kind": "password",
            "state": "valid",
            "serial": None,
            "issued_time": "2026-11-23T02:15:00Z",
            "issued_by": "an.nguyen",
            "expires_time": None,
            "revoked_time": None,
            "revoked_by": None,
        }
    ],
}
_ISSUED: Final = {
    "id": "6f1f1c1e-7f0e-4c63-9a53-0f6f0c1d2e3f",
    "kind": "password",
    "device": "hoi-an-air-01",
    "user_name": "hoi-an-air-01",
    "password": "WVSX5SU_V2O0b7d7RAv9t_m97_c",
    "expires_time": None,
}
_DEVICE: Final = {
    "id": "hoi-an-air-01",
    "name": "Trạm không khí Cửa Đại",
    "town": "hoi-an",
    "domain": "environment",
    "profile": "air-station",
    "site": _SITE,
    "state": "online",
    "state_since": None,
    "reporting_interval_s": 300,
    "phenomenon_time": "2026-11-23T02:15:00Z",
    "received_time": "2026-11-23T02:15:00.412Z",
    "gateway": None,
    "labels": ["phase=2"],
    "version": 4,
    "battery": {
        "datastream": "hoi-an-air-01:battery",
        "value": 87.0,
        "unit": "%",
        "phenomenon_time": "2026-11-23T02:15:00Z",
    },
    "signal": None,
}
_CHANGE_DATA: Final = (
    '{"devices":[{"id":"hoi-an-air-01","town":"hoi-an","domain":"environment","state":"online",'
    '"phenomenon_time":"2026-11-23T02:15:00Z","received_time":"2026-11-23T02:15:00.412Z","latest":[]}]}'
)

_USER: Final = {
    "name": "an.nguyen",
    "display_name": "Nguyễn Văn An",
    "grants": {"hoi-an": "operator"},
    "created_time": "2026-11-01T01:00:00Z",
    "password_time": "2026-11-01T01:00:00Z",
    "last_login_time": "2026-11-23T00:30:12Z",
    "disabled_time": None,
}
_KEY: Final = {
    "id": "0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52",
    "name": "school-42",
    "beginning": "thubon_Zk3pQa",
    "grants": {"hoi-an": "viewer"},
    "created_by": "an.nguyen",
    "created_time": "2026-11-01T01:00:00Z",
    "expires_time": "2027-11-01T01:00:00Z",
    "revoked_time": None,
    "last_used_time": "2026-11-23T02:14:00Z",
    "last_used_address": "203.0.113.7",
}

EXAMPLES: Final[dict[tuple[str, str], Any]] = {
    **OPERATIONS_EXAMPLES,
    **HISTORY_EXAMPLES,
    ("get", "/v1/towns"): {"items": [_TOWN], "next": None},
    ("get", "/v1/towns/{town}/overview"): {
        "town": _TOWN,
        "generated_time": "2026-11-23T02:15:12Z",
        "domains": [
            {
                "domain": "environment",
                "devices": _COUNTS,
                "headlines": [
                    {
                        "property": "pm25",
                        "name": _NAME,
                        "value": 27.4,
                        "reason": None,
                        "unit": "ug/m3",
                        "how": "mean of current observations",
                        "datastreams": 5,
                        "of": 6,
                        "oldest_phenomenon_time": "2026-11-23T02:10:00Z",
                        "newest_phenomenon_time": "2026-11-23T02:15:00Z",
                    },
                    {
                        "property": "water-level",
                        "name": {"vi": "Mực nước cao nhất", "en": "Highest water level"},
                        "value": None,
                        "reason": "no current observation",
                        "unit": "m",
                        "how": "highest of current observations",
                        "datastreams": 0,
                        "of": 2,
                        "oldest_phenomenon_time": None,
                        "newest_phenomenon_time": None,
                    },
                ],
                "figures": [ALARM],
            }
        ],
        "problems": [
            {
                "device": "hoi-an-gauge-02",
                "name": "Trạm mực nước Cẩm Nam",
                "domain": "environment",
                "site": {"id": "hoi-an-cam-nam", "name": "Cầu Cẩm Nam"},
                "state": "offline",
                "since": "2026-11-22T21:40:03Z",
            }
        ],
        "problem_count": 3,
    },
    ("get", "/v1/devices"): {"items": [{**_DEVICE, "latest": [_VALUE]}], "next": "WyJob2ktYW4tYWlyLTAxIl0"},
    ("get", "/v1/devices/{device}"): {
        **_DEVICE,
        "commissioned_time": "2026-03-02T01:00:00Z",
        "rated_power_w": None,
        "fed_by": None,
        "feeds": None,
        "retired_time": None,
        "placements": [
            {
                "town": "hoi-an",
                "site": "hoi-an-cua-dai",
                "site_name": "Cửa Đại",
                "from_time": None,
                "until_time": None,
                "topics_until": None,
            }
        ],
        "datastreams": [DATASTREAM],
    },
    ("get", "/v1/devices/{device}/latest"): {"device": "hoi-an-air-01", "state": "online", "items": [_VALUE]},
    ("get", "/v1/devices/{device}/credentials"): _CREDENTIALS,
    ("post", "/v1/devices/{device}/credentials"): _ISSUED,
    ("post", "/v1/devices/{device}/credentials/rotate"): _ISSUED,
    ("delete", "/v1/devices/{device}/credentials/{credential}"): _CREDENTIALS,
    ("get", "/v1/broker-accounts"): {
        "agrees": False,
        "checked_time": "2026-11-23T02:15:02Z",
        "agreed_time": "2026-11-23T02:10:00Z",
        "trouble": "the broker does not confirm the accounts it was given",
        "items": [{"device": "hoi-an-air-01", "change": "add"}],
        "next": None,
    },
    ("get", "/v1/live"): (
        'event: hello\nid: WyJhYyIsNzQyXQ\ndata: {"id":"WyJhYyIsNzQyXQ"}\n\n'
        f"event: change\nid: WyJhYyIsNzQzXQ\ndata: {_CHANGE_DATA}\n\n"
    ),
    ("get", "/v1/session"): {
        "role": "operator",
        "name": "an.nguyen",
        "grants": {"hoi-an": "operator", "dien-ban": "viewer"},
        "expires_time": "2026-11-23T13:00:00Z",
        "csrf": "4d1c0f2d3a7a5b8e9f60718293a4b5c6d7e8f90112233445566778899aabbccd",
        "open": False,
        "openid": True,
    },
    ("get", "/v1/users"): {"items": [_USER], "next": None},
    ("get", "/v1/users/{user}"): _USER,
    ("post", "/v1/users"): _USER,
    ("patch", "/v1/users/{user}"): _USER,
    ("get", "/v1/api-keys"): {"items": [_KEY], "next": None},
    ("post", "/v1/api-keys"): {**_KEY, "key": "thubon_Zk3pQa..."},
    ("delete", "/v1/api-keys/{key}"): {**_KEY, "revoked_time": "2026-11-23T02:15:00Z"},
    ("get", "/v1/audit"): {
        "items": [
            {
                "time": "2026-11-23T02:15:00.412Z",
                "actor": "an.nguyen",
                "address": "203.0.113.7",
                "action": "user.change",
                "outcome": "done",
                "town": "hoi-an",
                "subject": "binh.tran",
                "detail": None,
                "attempts": 1,
                "before": {"grants": {"hoi-an": "viewer"}},
                "after": {"grants": {"hoi-an": "operator"}},
            }
        ],
        "next": None,
    },
    ("get", "/healthz"): "ok\n",
    ("get", "/readyz"): {
        "status": "ok",
        "checks": {
            "database": {"status": "ok", "detail": "reachable"},
            "disk": {
                "status": "ok",
                "detail": "enough room",
                "free_bytes": 77_374_722_048,
                "reserve_bytes": 2_147_483_648,
            },
            "ingest": {
                "status": "informative",
                "detail": "when ingest last changed a device; silence may be the devices'",
                "newest_change_time": "2026-11-23T02:15:00.512Z",
                "newest_change_age_s": 0.701,
                "newest_ledger_hour": "2026-11-23T02:00:00Z",
                "batches_waiting": 1,
            },
        },
    },
    ("get", "/metrics"): "# TYPE thubon_api_live_clients gauge\nthubon_api_live_clients 3.0\n",
    **REGISTRY_EXAMPLES,
}
