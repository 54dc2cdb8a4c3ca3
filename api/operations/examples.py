"""One example of a good answer for each operations view; tests hold them against the shapes."""

from typing import Any, Final

from api.operations.board import MAP_MEMBERS

_SITE: Final = {
    "id": "ha-gauge-hoi-an",
    "name": "Trạm thủy văn Hội An",
    "kind": "gauge",
    "latitude": 15.876,
    "longitude": 108.335,
}
_TIME: Final = "2026-11-23T02:15:00Z"
_GENERATED: Final = "2026-11-23T02:15:12Z"
_COUNTS: Final = {"online": 41, "stale": 1, "offline": 0, "never-seen": 0, "retired": 0}
ALARM: Final = {
    "id": "flood-alarm",
    "name": {"vi": "Báo động lũ", "en": "Flood alarm level"},
    "value": 2.0,
    "unit": "1",
    "text": {"vi": "trên BĐ2: 0,09 m", "en": "0.09 m above alarm level II"},
    "level": {
        "id": "alarm-2",
        "name": {"vi": "Báo động II", "en": "Alarm level II"},
        "colour": None,
        "severity": 3,
    },
    "reason": None,
    "reason_text": None,
    "obtained": "index",
    "formula": "environment.flood-alarm/1",
    "how": "alarm level (0 to 3) of the newest water level, held until the water is the hysteresis below it",
    "phenomenon_time": _TIME,
    "age_s": 12.0,
    "coverage": 1.0,
    "quality": 0,
    "flagged": 0,
    "indicative": False,
    "detail": {
        "station": "Hội An",
        "river": "Thu Bồn",
        "alarm_levels_m": [1.0, 1.5, 2.0],
        "source": "QĐ 05/2020/QĐ-TTg; bulletins 28-10-2020, 06-11-2020, 11-10-2022, 17-11-2025",
        "grade": "V2",
        "hysteresis_m": 0.05,
        "rise_formula": "environment.rise/1",
        "rise_1h_m_per_h": 0.12,
        "rise_3h_m_per_h": 0.1,
        "water_level_m": 1.59,
        "next_level": 3,
        "distance_to_next_m": 0.41,
        "hours_to_next_at_1h_rate": 3.42,
        "hours_to_next_at_3h_rate": 4.1,
    },
}
_AQI: Final = {
    **ALARM,
    "id": "vn-aqi-hour",
    "name": {"vi": "VN_AQI giờ", "en": "VN_AQI of the hour"},
    "value": None,
    "text": None,
    "level": None,
    "reason": "no-particle",
    "reason_text": {
        "vi": "Không có PM2.5 lẫn PM10 đủ số liệu (2 trong 3 giờ gần nhất).",
        "en": "Neither PM2.5 nor PM10 has two of the newest three hours.",
    },
    "formula": "environment.vn-aqi-hour/1",
    "how": "VN_AQI (QĐ 1459/QĐ-TCMT): highest sub-index of the newest whole hour, NowCast over 12 h for PM",
    "phenomenon_time": None,
    "age_s": None,
    "coverage": 0.0,
    "quality": None,
    "detail": {"published": False, "dominant": None},
}
_STATE: Final = {
    "site": _SITE,
    "severity": 3,
    "state": "online",
    "devices": ["ha-gauge-hoi-an-1"],
    "figures": [ALARM],
}
_SEVERITIES: Final = {"unknown": 1, "normal": 38, "notice": 2, "warning": 0, "alarm": 1, "emergency": 0}
_HEAD: Final = {"town": "hoi-an", "domain": "environment", "generated_time": _GENERATED}
_QUARTER: Final = {
    "start": "2026-11-23T02:00:00Z",
    "count": 3,
    "coverage": 1.0,
    "flagged": 0,
    "mean": 1.57,
    "min": 1.55,
    "max": 1.59,
}

OPERATIONS_EXAMPLES: Final[dict[tuple[str, str], Any]] = {
    ("get", "/v1/towns/{town}/{domain}"): {
        **_HEAD,
        "devices": _COUNTS,
        "severities": _SEVERITIES,
        "figures": [ALARM, _AQI],
        "worst": [_STATE],
    },
    ("get", "/v1/towns/{town}/{domain}/map"): {
        "type": "FeatureCollection",
        **_HEAD,
        "features": [
            {
                "type": "Feature",
                "id": "ha-gauge-hoi-an",
                "geometry": {"type": "Point", "coordinates": [108.335, 15.876]},
                "properties": {
                    "name": "Trạm thủy văn Hội An",
                    "kind": "gauge",
                    "state": "online",
                    "severity": 3,
                    "devices": 1,
                    "figure": {name: ALARM[name] for name in MAP_MEMBERS},
                },
            }
        ],
    },
    ("get", "/v1/towns/{town}/{domain}/ranking"): {
        **_HEAD,
        "by": "flood-alarm",
        "items": [{"rank": 1, "site": _SITE, "state": "online", "severity": 3, "figure": ALARM}],
        "next": None,
    },
    ("get", "/v1/towns/{town}/{domain}/summary"): {
        **_HEAD,
        "date": "2026-11-22",
        "start": "2026-11-21T17:00:00Z",
        "end": "2026-11-22T17:00:00Z",
        "complete": True,
        "figures": [{**_AQI, "id": "vn-aqi-day", "formula": "environment.vn-aqi-day/1"}],
        "sites": [{"site": _SITE, "figures": [ALARM]}],
        "site_count": 41,
    },
    ("get", "/v1/sites/{site}"): {
        "site": _SITE,
        "town": "hoi-an",
        "generated_time": _GENERATED,
        "severity": 3,
        "figures": [ALARM],
        "devices": [
            {
                "id": "ha-gauge-hoi-an-1",
                "name": "Mực nước Trạm thủy văn Hội An",
                "domain": "environment",
                "profile": "river-gauge",
                "state": "online",
                "latest": [],
            }
        ],
        "start": "2026-11-22T02:15:00Z",
        "end": "2026-11-23T02:30:00Z",
        "series": [
            {
                "datastream": "ha-gauge-hoi-an-1:water-level",
                "device": "ha-gauge-hoi-an-1",
                "property": "water-level",
                "label": {"vi": "Mực nước", "en": "Water level"},
                "unit": "m",
                "interval_s": 300,
                "mean": "arithmetic",
                "items": [_QUARTER],
            }
        ],
    },
    ("get", "/v1/statistics"): {
        "property": "pm25",
        "name": {"vi": "Bụi mịn PM2.5", "en": "PM2.5"},
        "unit": "ug/m3",
        "town": "hoi-an",
        "ward": None,
        "resolution": "PT1H",
        "mean": "arithmetic",
        "obtained": "window-statistics",
        "how": "partials of every datastream merged window by window",
        "datastreams": 12,
        "generated_time": _GENERATED,
        "items": [
            {
                "start": "2026-11-23T01:00:00Z",
                "end": "2026-11-23T02:00:00Z",
                "datastreams": 11,
                "count": 128,
                "expected": 138,
                "coverage": 0.927536231884058,
                "mean": 27.4,
                "min": 11.2,
                "max": 61.0,
                "sum": 3507.2,
                "p50": None,
                "p90": None,
                "p95": None,
                "flagged": 3,
            }
        ],
        "next": None,
    },
}
