"""Examples of good answers about history: observations, statistics, what was refused. See `api.openapi_examples`."""

from typing import Any, Final

DATASTREAM: Final = {
    "id": "hoi-an-air-01:pm25",
    "name": "pm25",
    "property": "pm25",
    "label": {"vi": "Bụi PM2.5", "en": "PM2.5"},
    "unit": "ug/m3",
    "unit_sent": "ug/m3",
    "interval_s": 300,
    "period_s": 300,
    "stamp": "end",
    "lower_bound": 0.0,
    "upper_bound": 2000.0,
}
_REJECTIONS: Final = {
    "items": [
        {
            "received_time": "2026-11-23T02:15:00.412Z",
            "device": "hoi-an-air-01",
            "source": "hoi-an-air-01",
            "reason": "unknown-datastream",
            "meaning": {
                "vi": "Hồ sơ của thiết bị không có dòng dữ liệu mang tên này.",
                "en": "The device's profile has no datastream of this name.",
            },
            "cure": {
                "vi": "Sửa tên khoá cho khớp hồ sơ.",
                "en": "Mend the key to match the profile.",
            },
            "detail": "the profile air-station has no datastream 'pm2.5'; it has pm25, pm10, no2",
            "topic": "thubon/v1/hoi-an/hoi-an-air-01/telemetry",
            "readings": 1,
            "unkept": 0,
            "replayed": 0,
            "replayed_time": None,
            "subjects": [{"device": "hoi-an-air-01", "name": "pm2.5", "ts": None, "value": 31.2}],
            "payload_text": '{"pm2.5": 31.2}',
            "payload_base64": "eyJwbTIuNSI6IDMxLjJ9",
        }
    ],
    "next": None,
}
_REPLAY: Final = {
    "id": "0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52",
    "state": "running",
    "reason": "unknown-datastream",
    "device": None,
    "town": "hoi-an",
    "requested_time": "2026-11-23T02:20:00Z",
    "started_time": "2026-11-23T02:20:00.310Z",
    "finished_time": None,
    "messages": 500,
    "mended": 1_480,
    "stored": 1_480,
    "duplicate": 0,
    "conflict": 0,
    "missing": 0,
    "refused": 20,
    "error": None,
}


HISTORY_EXAMPLES: Final[dict[tuple[str, str], Any]] = {
    ("get", "/v1/devices/{device}/rejections"): _REJECTIONS,
    ("get", "/v1/rejections"): _REJECTIONS,
    ("post", "/v1/rejections/replay"): _REPLAY,
    ("get", "/v1/rejections/replay/{replay}"): _REPLAY,
    ("get", "/v1/ledger"): {
        "items": [
            {
                "hour": "2026-11-23T02:00:00Z",
                "town": "hoi-an",
                "source": "hoi-an-air-01",
                "family": "telemetry",
                "received": 360,
                "stored": 352,
                "duplicate": 6,
                "conflict": 0,
                "rejected": 1,
                "missing": 1,
            }
        ],
        "next": None,
        "broker_dropped": [
            {
                "broker": "mqtt://broker:1883",
                "dropped": 0,
                "dropped_time": None,
                "reported_time": "2026-11-23T00:00:10Z",
            }
        ],
    },
    ("get", "/v1/datastreams/{datastream}/observations"): {
        "datastream": DATASTREAM,
        "items": [
            {
                "phenomenon_time": "2026-11-23T02:15:00Z",
                "period_start": "2026-11-23T02:10:00Z",
                "period_end": "2026-11-23T02:15:00Z",
                "received_time": "2026-11-23T02:15:00.412Z",
                "value": 31.2,
                "value_sent": 31.2,
                "quality": 4,
                "flags": [
                    {
                        "id": "outside-expected-range",
                        "name": {"vi": "ngoài khoảng thường gặp", "en": "outside the expected range"},
                    }
                ],
                "late": False,
            }
        ],
        "next": "WzE3OTU0MDAxMDAwMDAwMDBd",
    },
    ("get", "/v1/datastreams/{datastream}/statistics"): {
        "datastream": {
            **DATASTREAM,
            "id": "hoi-an-noise-01:laeq",
            "name": "laeq",
            "property": "sound-level-equivalent",
            "label": {"vi": "Mức ồn tương đương LAeq", "en": "Equivalent sound level LAeq"},
            "unit": "dB[SPL]",
            "unit_sent": "dB[SPL]",
            "interval_s": 60,
            "period_s": 60,
            "upper_bound": 150.0,
        },
        "resolution": "P1D",
        "mean": "energetic",
        "keeps": ["energetic-mean", "sketch", "exceedance"],
        "limit": 70.0,
        "items": [
            {
                "start": "2026-11-21T17:00:00Z",
                "end": "2026-11-22T17:00:00Z",
                "count": 1436,
                "expected": 1440,
                "coverage": 0.9972222222222222,
                "flagged": 1,
                "flags": {"spike": 1, "outside-expected-range": 2},
                "mean": 64.8,
                "min": 41.3,
                "min_time": "2026-11-21T19:22:00Z",
                "max": 83.6,
                "max_time": "2026-11-22T10:41:00Z",
                "sum": 87108.4,
                "standard_deviation": 8.1,
                "first": 52.6,
                "first_phenomenon_time": "2026-11-21T17:01:00Z",
                "last": 53.4,
                "last_phenomenon_time": "2026-11-22T17:00:00Z",
                "energetic_mean": 64.8,
                "p50": 60.6,
                "p90": 69.1,
                "p95": 71.1,
                "p99": 74.6,
                "l10": 69.1,
                "l50": 60.6,
                "l90": 48.9,
                "above": 97,
                "longest_run": 12,
            }
        ],
        "next": None,
    },
}
