"""Two towns with something of everything, and how each operation of the contract is asked about one of them."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg

from devices.claims import new_code
from tests.integration.api.people import add_account, add_key
from tests.integration.api.seed import Seed, ago

TOWNS = ("hoi-an", "tam-ky")
ROLES = ("viewer", "operator", "engineer", "administrator")
NOWHERE = "0b9f4c1e-6d43-4c0e-9e5b-6f1c1b1f3a52"
# Words that occur in what is of one town and nowhere else.
WORDS = {
    "hoi-an": re.compile(r"hoi-an|Hội An|Hoi An|hoian|41\.0937|left-behind"),
    "tam-ky": re.compile(r"tam-ky|Tam Kỳ|Tam Ky|tamky|87\.0613"),
}
MOVED = "walker"  # stood in Hoi An, stands in Tam Ky
MOVED_PATHS = {"device": MOVED, "datastream": f"{MOVED}:pm25"}
IDS = {
    "town": "{town}",
    "device": "{word}-air-1",
    "datastream": "{word}-air-1:pm25",
    "site": "site-{word}-air-1",
    "user": "{word}.viewer",
    "domain": "environment",
    "property": "pm25",
}
QUERY = {"/v1/statistics": "property=pm25"}
DEVICE = {"site": "site-{word}-air-1", "profile": "air-station", "name": "{word} new"}
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/rejections/replay"): {"device": "{word}-air-1"},
    ("post", "/v1/users"): {
        "name": "{word}.new", "display_name": "New", "password": "a long password", "grants": {"{town}": "viewer"}
    },
    ("patch", "/v1/users/{user}"): {"display_name": "{word} changed"},
    ("post", "/v1/api-keys"): {
        "name": "{word} new", "grants": {"{town}": "viewer"}, "expires_time": "2027-11-01T00:00:00Z"
    },
    ("post", "/v1/towns"): {
        "id": "{word}-new", "name": {"vi": "Mới", "en": "New"}, "latitude": 15.4, "longitude": 108.6,
        "bbox": [108.5, 15.3, 108.8, 15.5],
    },
    ("patch", "/v1/towns/{town}"): {"position": 7},
    ("post", "/v1/sites"): {
        "id": "{word}-s", "town": "{town}", "name": "S", "kind": "pole", "latitude": 15.8, "longitude": 108.3
    },
    ("patch", "/v1/sites/{site}"): {"name": "{word} changed"},
    ("post", "/v1/devices"): {**DEVICE, "id": "{word}-air-2"},
    ("patch", "/v1/devices/{device}"): {"name": "{word} changed"},
    ("post", "/v1/devices/{device}/move"): {"site": "site-{word}-air-1"},
    ("post", "/v1/claims"): {"code": "{code}"},
    ("post", "/v1/registry/labels"): {"town": "{town}"},
    ("post", "/v1/knocks/{device}/accept"): {**DEVICE, "town": "{town}"},
    ("post", "/v1/knocks/{device}/refuse"): {"town": "{town}"},
    ("post", "/v1/knocks/{device}/forgive"): {"town": "{town}"},
    ("post", "/v1/devices/{device}/credentials"): {"kind": "password"},
    ("post", "/v1/devices/{device}/credentials/rotate"): {},
    ("post", "/v1/registry/import"): (
        "device,town,site,site_name,site_kind,latitude,longitude,profile,name\n"
        "{word}-air-3,{town},{word}-s,S,pole,15.8,108.3,air-station,New\n"
    ),
}  # fmt: skip


def fill(seed: Seed, url: str) -> None:
    """One device of each town, with observations, a refusal, ledger, windows, people, a key and an audit row."""
    for town in TOWNS:
        word = town.replace("-", "")
        device = f"{word}-air-1"
        seed.device(device, "air-station", town=town)
        seed.observe(device, ago(seconds=4), {"pm25": 31.2, "temperature": 27.5})
        seed.history(device, "pm25", [(ago(minutes=20 + n), 30.0 + n, 0) for n in range(30)])
        seed.reject(device, json.dumps({"of": word}).encode(), device_id=device, reason="unknown-datastream")
        seed.execute("update rejection set town_id = %s, topic = %s where source = %s",
                     [town, f"thubon/v1/{town}/{device}/telemetry", device])  # fmt: skip
        seed.execute(
            "insert into ledger_hour values (date_trunc('hour', now()), %s, %s, 'telemetry', 5, 5)", [town, device]
        )
        IDS[f"code {town}"] = new_code()
        seed.execute(
            "insert into device_credential (device_key, kind, salt, digest, issued_by) select max(device_key),"
            " 'password', decode(repeat('01', 16), 'hex'), decode(repeat('02', 32), 'hex'), 'x' from device"
        )
        seed.execute("insert into device_claim (device_key, code) select max(device_key), %s from device",
                     [IDS[f"code {town}"]])  # fmt: skip
        seed.execute("insert into knock values (%s, %s, 'unknown-device', null, now(), now(), 1, 1, %s, '')",
                     [f"{word}-new-1", town, f"thubon/v1/{town}/{word}-new-1"])  # fmt: skip
        seed.execute("insert into audit (actor, action, outcome, town_id, subject) values ('x', 'a', 'done', %s, %s)",
                     [town, device])  # fmt: skip
        seed.execute("insert into replay_request (town_id, device_id) values (%s, %s)", [town, device])
        for role in ROLES:
            add_account(seed, f"{word}.{role}", {town: role})
        add_key(seed, f"{word} key", {town: "viewer"})
    fill_moved(seed)
    seed.reject("stranger", b"nobody's", reason="unknown-device")
    seed.execute("update rejection set town_id = '-', topic = 'x' where source = 'stranger'")
    with psycopg.connect(url) as connection:
        for key, town in connection.execute("select replay_id, town_id from replay_request").fetchall():
            IDS[f"replay {town}"] = str(key)
        for key, town in connection.execute(
            "select credential_id, town_id from device_credential join device using (device_key)"
        ).fetchall():
            IDS[f"credential {town}"] = str(key)
        for key, name in connection.execute("select key_id, name from api_key").fetchall():
            IDS[f"key {name.partition(' ')[0]}"] = str(key)


def fill_moved(seed: Seed) -> None:
    """A device that moved three hours ago, and one whose id knocked in the other town before it was registered.

    What was observed before and after is of values that nothing else has.
    """
    key = seed.device(MOVED, "air-station", commissioned=ago(days=2))
    seed.execute("update site set site_id = 'left-behind', name = 'left-behind' where site_id = %s", [f"site-{MOVED}"])
    moved_time = ago(hours=3)
    # It has not told the present town its temperature yet.
    seed.observe(MOVED, ago(hours=4), {"pm25": 41.0937, "temperature": 41.0937})
    seed.observe(MOVED, ago(minutes=3), {"pm25": 87.0613})
    seed.execute("update device set town_id = 'tam-ky', site_key = (select site_key from site"
                 " where site_id = 'site-tamky-air-1') where device_key = %s", [key])  # fmt: skip
    seed.execute("update device_placement set until_time = %s where device_key = %s and until_time < 'infinity'",
                 [moved_time, key])  # fmt: skip
    seed.execute("update device_placement set from_time = %s where device_key = %s and until_time = 'infinity'",
                 [moved_time, key])  # fmt: skip
    seed.execute("update device set registered_time = %s where device_key = %s", [ago(days=2), key])
    for start, value in ((ago(hours=5), 41.0937), (ago(hours=1), 87.0613)):
        seed.execute(_WINDOWS, {"key": key, "start": start, "value": value})
    seed.execute("insert into aggregation_state values (%s, now(), null, null)", [key])
    for received, value in ((ago(hours=4), "41.0937"), (ago(minutes=2), "87.0613")):
        seed.reject(MOVED, value.encode(), device_id=MOVED, reason="unknown-datastream", received=received,
                    subjects=[{"device": MOVED, "name": "pm25", "value": float(value)}])  # fmt: skip
    seed.execute("update rejection set topic = 'thubon/v1/x' where source = %s", [MOVED])
    seed.execute(
        "update rejection set town_id = 'tam-ky' where source = %s and received_time > %s", [MOVED, moved_time]
    )
    seed.device("knocker", "air-station", town="tam-ky", commissioned=ago(days=2))
    seed.reject("knocker", b"41.0937", device_id="knocker", received=ago(days=1),
                subjects=[{"device": "knocker", "name": "pm25", "value": 41.0937}])  # fmt: skip
    seed.execute("update rejection set topic = 'thubon/v1/x' where source = 'knocker'")


_WINDOWS = """
insert into window_set (device_key, length_s, start_time, changed_time, computed_time, count, flagged, sum,
                        second_moment, min, min_time, max, max_time, first, first_time, last, last_time)
select %(key)s, length_s, date_bin(make_interval(secs => length_s), %(start)s, '1970-01-01 00:00:00+00'), now(), now(),
       array_fill(1, s), array_fill(0, s), array_fill(%(value)s::float8, s), array_fill(0::float8, s),
       array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s), array_fill(%(value)s::float8, s),
       array_fill(%(start)s::timestamptz, s), array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s),
       array_fill(%(value)s::float8, s), array_fill(%(start)s::timestamptz, s)
from (select array[max(slot)::integer] as s from datastream where device_key = %(key)s) slots,
     unnest('{900,3600}'::integer[]) length_s
"""


def told(template: Any, town: str) -> Any:
    """A template with a town in it."""
    text = json.dumps(template)
    text = text.replace("{code}", IDS.get(f"code {town}", ""))
    return json.loads(text.replace("{town}", town).replace("{word}", town.replace("-", "")))


def address(path: str, town: str) -> str:
    """The path of an operation with ids of a town."""
    word = town.replace("-", "")

    def identifier(match: re.Match[str]) -> str:
        name = match[1]
        if name in {"replay", "credential"}:
            return IDS[f"{name} {town}"]
        if name == "device" and "/knocks/" in path:
            return f"{word}-new-1"
        if name == "key":
            return IDS[f"key {word}"]
        return told(IDS.get(name, f"{word}-{name}-1"), town)

    filled = re.sub(r"\{(\w+)\}", identifier, path)
    return f"{filled}?{QUERY[path]}" if path in QUERY else filled


def sent(method: str, path: str, town: str, headers: dict[str, str]) -> dict[str, Any]:
    """Headers and body of an operation about a town."""
    if method not in {"post", "patch", "put", "delete"}:
        return {"headers": headers}
    headers = headers | {"If-Match": "*"}
    body = told(BODIES.get((method, path)), town)
    if isinstance(body, str):
        return {"headers": headers | {"Content-Type": "text/csv"}, "content": body}
    return {"headers": headers, "json": body}
