"""Examples of good answers about the registry. See `api.openapi_examples`."""

from typing import Any, Final

_WARD: Final = {
    "id": "hoi-an-2019-cua-dai",
    "name": "Cửa Đại",
    "kind": "ward",
    "valid_from": "2019-01-01",
    "valid_to": "2025-07-01",
}
_SITE: Final = {
    "id": "hoi-an-cua-dai",
    "town": "hoi-an",
    "name": "Cửa Đại",
    "kind": "station",
    "latitude": 15.8801,
    "longitude": 108.3701,
    "labels": ["beach"],
    "wards": [{**_WARD, "how": "declared"}],
    "devices": 2,
    "version": 3,
    "retired_time": None,
}
_CHANGED_SITE: Final = {**_SITE, "warnings": [], "warning_texts": []}
_DEVICE: Final = {
    "id": "hoi-an-air-01",
    "town": "hoi-an",
    "site": "hoi-an-cua-dai",
    "domain": "environment",
    "profile": "air-station",
    "name": "Trạm không khí Cửa Đại",
    "gateway": None,
    "labels": ["phase=2"],
    "commissioned_time": "2025-11-01T00:00:00Z",
    "rated_power_w": None,
    "fed_by": None,
    "retired_time": None,
    "version": 4,
}
_COUNTS: Final = {"created": 1, "changed": 0, "unchanged": 0}
_KNOCK: Final = {
    "device": "hoi-an-air-02",
    "town": "hoi-an",
    "reason": "unknown-device",
    "gateway": None,
    "first_time": "2026-11-23T02:00:00Z",
    "last_time": "2026-11-23T02:15:00Z",
    "messages": 4,
    "readings": 24,
    "kept": 4,
    "topic": "thubon/v1/hoi-an/hoi-an-air-02/telemetry",
    "sample_text": '{"ts": 1795400100000, "values": {"pm25": 31.2, "glow": 1}}',
    "guesses": [{"profile": "air-station", "matching": ["pm25"], "unknown": ["glow"]}],
    "refused_time": None,
    "refused_by": None,
}
_DECIDED: Final = {"device": "hoi-an-air-02", "town": "hoi-an", "refused": True}

_TOWN: Final = {
    "id": "hoi-an",
    "name": {"vi": "Hội An", "en": "Hoi An"},
    "latitude": 15.88,
    "longitude": 108.335,
    "bbox": [108.28, 15.83, 108.41, 15.94],
    "position": 2,
    "sites_in_use": 64,
    "devices_in_service": 100,
    "version": 1,
    "retired_time": None,
}

REGISTRY_EXAMPLES: Final[dict[tuple[str, str], Any]] = {
    ("get", "/v1/towns/{town}"): _TOWN,
    ("post", "/v1/towns"): {**_TOWN, "sites_in_use": 0, "devices_in_service": 0},
    ("patch", "/v1/towns/{town}"): {**_TOWN, "version": 2},
    ("post", "/v1/towns/{town}/retire"): {
        **_TOWN,
        "sites_in_use": 0,
        "devices_in_service": 0,
        "version": 2,
        "retired_time": "2026-11-23T02:15:00Z",
    },
    ("post", "/v1/towns/{town}/reinstate"): {**_TOWN, "sites_in_use": 0, "devices_in_service": 0, "version": 3},
    ("get", "/v1/sites"): {"items": [_SITE], "next": None},
    ("post", "/v1/sites"): _CHANGED_SITE,
    ("patch", "/v1/sites/{site}"): _CHANGED_SITE,
    ("post", "/v1/sites/{site}/retire"): {**_CHANGED_SITE, "retired_time": "2026-11-23T02:15:00Z"},
    ("post", "/v1/sites/{site}/reinstate"): _CHANGED_SITE,
    ("get", "/v1/wards"): {
        "items": [
            {
                **_WARD,
                "town": "hoi-an",
                "grade": "secondary",
                "source": "several data sets, merged",
                "successor": "hoi-an-2025-hoi-an-dong",
                "sites": 1,
            }
        ],
        "next": None,
    },
    ("post", "/v1/devices"): _DEVICE,
    ("patch", "/v1/devices/{device}"): _DEVICE,
    ("post", "/v1/devices/{device}/move"): {
        **_DEVICE,
        "town": "tam-ky",
        "site": "tam-ky-station-2",
        "former_topics_until": "2026-11-26T02:15:00Z",
    },
    ("post", "/v1/devices/{device}/retire"): {**_DEVICE, "retired_time": "2026-11-23T02:15:00Z"},
    ("post", "/v1/devices/{device}/reinstate"): _DEVICE,
    ("get", "/v1/devices/{device}/installation"): {
        "device": "hoi-an-air-01",
        "step": "heard",
        "labelled_time": "2026-11-22T08:00:00Z",
        "claimed_time": "2026-11-23T02:05:00Z",
        "claimed_by": "an.nguyen",
        "heard_time": "2026-11-23T02:15:00Z",
        "stored_time": None,
        "refused_time": "2026-11-23T02:15:00Z",
        "refused_reason": "unknown-datastream",
        "refused_detail": "the profile air-station has no datastream 'pm2.5'; it has pm25, pm10, no2",
    },
    ("post", "/v1/devices/{device}/claim-code"): {"device": "hoi-an-air-01", "code": "7K3M-9PQX-4T"},
    ("post", "/v1/claims"): {
        "device": "hoi-an-air-01",
        "town": "hoi-an",
        "credential": {"user_name": "hoi-an-air-01", "password": "shown this once"},
    },
    ("post", "/v1/registry/labels"): "<!doctype html><html>...</html>",
    ("post", "/v1/registry/import"): {
        "dry_run": True,
        "devices": _COUNTS,
        "sites": _COUNTS,
        "datastreams": {"created": 12, "changed": 0, "unchanged": 0},
        "changes": [],
        "change_texts": [],
        "warnings": [],
        "faults": [
            {
                "line": 3,
                "column": "town",
                "detail": "'da-nang' is not a town; allowed: tam-ky, hoi-an, dien-ban",
                "code": "town-unknown",
                "parameters": {"town": "da-nang", "allowed": "tam-ky, hoi-an, dien-ban"},
                "text": {
                    "vi": "'da-nang' không phải đô thị nào; cho phép: tam-ky, hoi-an, dien-ban",
                    "en": "'da-nang' is not a town; allowed: tam-ky, hoi-an, dien-ban",
                },
            }
        ],
        "fault_count": 1,
    },
    ("get", "/v1/registry/export"): "device,town,site,site_name,...\nhoi-an-air-01,hoi-an,hoi-an-cua-dai,Cửa Đại,...\n",
    ("get", "/v1/knocks"): {"items": [_KNOCK], "next": None},
    ("post", "/v1/knocks/{device}/accept"): _DEVICE,
    ("post", "/v1/knocks/{device}/refuse"): _DECIDED,
    ("post", "/v1/knocks/{device}/forgive"): {**_DECIDED, "refused": False},
}
