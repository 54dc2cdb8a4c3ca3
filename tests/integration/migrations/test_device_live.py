"""The state of a device as the view device_live computes it from the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from tests.integration.migrations.conftest import Registry

_INTERVAL_S = 60
_STALE_S = 3 * _INTERVAL_S
_OFFLINE_S = 3600  # 10 intervals are less than an hour


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a device, in seconds ago, and what follows."""

    name: str
    state: str
    since_s: float | None  # seconds ago; None: not known
    phenomenon_s: float | None = None
    received_s: float | None = None  # default: as phenomenon_s
    word: str | None = None
    word_s: float = 0.0
    retired_s: float | None = None
    online_s: float | None = None  # heard of without a pause since
    interval_s: int = _INTERVAL_S


_COMMISSIONED_S = 90_000
_CASES = [
    Case("nothing yet", "never-seen", _COMMISSIONED_S),
    Case("just spoke", "online", None, phenomenon_s=1),
    Case("just spoke, with a status word", "online", 5_000, phenomenon_s=1, word="online", word_s=5_000),
    Case("almost stale", "online", None, phenomenon_s=_STALE_S - 5),
    Case("stale", "stale", 5, phenomenon_s=_STALE_S + 5),
    Case("sends old data: stale, not silent", "stale", 80_000 - _STALE_S, phenomenon_s=80_000, received_s=1),
    Case("almost silent", "stale", _OFFLINE_S - 5 - _STALE_S, phenomenon_s=_OFFLINE_S - 5),
    Case("silent", "offline", 5, phenomenon_s=_OFFLINE_S + 5),
    Case("silent, slow reporter", "stale", 9 * 900 - 2700, phenomenon_s=9 * 900, interval_s=900),
    Case("silent, slow reporter, long", "offline", 900, phenomenon_s=11 * 900, interval_s=900),
    Case("last will", "offline", 10, phenomenon_s=20, word="offline", word_s=10),
    Case("last will, then queued older data", "offline", 10, phenomenon_s=20, received_s=1, word="offline", word_s=10),
    Case("observed after its last will", "online", 10, phenomenon_s=1, word="offline", word_s=10),
    Case("heard of without a pause", "online", 700, phenomenon_s=1, online_s=700),
    Case("its word is older than its pause", "online", 700, phenomenon_s=1, word="online", word_s=900, online_s=700),
    Case("silent before its last will", "offline", 1_400, phenomenon_s=5_000, word="offline", word_s=10),
    Case("back, no new data yet", "stale", 10, phenomenon_s=5_000, word="online", word_s=10),
    Case("connected, never sent", "stale", 10, word="online", word_s=10),
    Case("connected long ago, never sent", "offline", 400, word="online", word_s=_OFFLINE_S + 400),
    Case("only its last will", "offline", 10, word="offline", word_s=10),
    Case("retired", "retired", 100, phenomenon_s=1, word="online", word_s=10, retired_s=100),
    Case("to be retired", "online", None, phenomenon_s=1, retired_s=-100),
]


def test_a_device_stands_as_its_words_and_times_say(database_url: str) -> None:
    now = datetime.now(UTC)

    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else now - timedelta(seconds=seconds)

    with psycopg.connect(database_url) as connection:
        for number, case in enumerate(_CASES):
            key = Registry(connection).add_device(f"case-{number:02d}", interval_s=case.interval_s)
            connection.execute(
                "update device set commissioned_time = %s, retired_time = %s where device_key = %s",
                [ago(_COMMISSIONED_S), ago(case.retired_s), key],
            )
            if case.phenomenon_s is not None:
                received_s = case.phenomenon_s if case.received_s is None else case.received_s
                connection.execute(
                    "insert into latest values (%s, %s, %s, '{1}', array[now()], '{0}', %s)",
                    [key, ago(case.phenomenon_s), ago(received_s), ago(case.online_s)],
                )
            if case.word is not None:
                connection.execute("insert into device_status values (%s, %s, %s)", [key, case.word, ago(case.word_s)])
        rows = connection.execute("select state, state_since from device_live order by device_id").fetchall()
    answered = {case.name: row for case, row in zip(_CASES, rows, strict=True)}
    assert answered == {case.name: (case.state, ago(case.since_s)) for case in _CASES}


def test_the_state_follows_the_clock_within_one_transaction(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        Registry(connection).add_device("air-1", interval_s=1)
        connection.execute(
            "insert into latest"
            " select device_key, clock_timestamp() - interval '2.5 s', now(), '{1}', array[now()], '{0}' from device"
        )
        states = []
        for _ in range(2):
            row = connection.execute("select state from device_live").fetchone()
            assert row is not None
            states.append(row[0])
            time.sleep(0.6)
    assert states == ["online", "stale"]


def test_three_thousand_devices_are_read_quickly(admin: psycopg.Connection, registry: Registry) -> None:
    registry.add_device("air-0")
    admin.execute(
        """
        insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s)
        select 'lamp-' || n, (array['hoi-an', 'tam-ky', 'dien-ban'])[1 + n %% 3], site_key, 'lighting',
               'lamp-controller', 'Lamp', 60
        from site, generate_series(1, %s) n
        """,
        [2_999],
    )
    admin.execute(
        "insert into latest select device_key, now(), now(), array_fill(1::float8, '{12}'), array_fill(now(), '{12}'),"
        " array_fill(0::smallint, '{12}') from device"
    )
    admin.execute("insert into device_status select device_key, 'online', now() from device")
    admin.execute("analyze device, latest, device_status, site")
    took_s = []
    for _ in range(5):
        started = time.perf_counter()
        rows = admin.execute("select town_id, domain, state, count(*) from device_live group by 1, 2, 3").fetchall()
        took_s.append(time.perf_counter() - started)
    assert sum(row[3] for row in rows) == 3_000
    assert {row[2] for row in rows} == {"online"}
    # Some milliseconds on an idle machine; the bound leaves room for a busy one.
    assert min(took_s) < 0.2
