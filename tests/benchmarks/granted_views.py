"""What the barrier views cost a reader: the same questions of the tables behind, as their owner, and through the views.

`python -m tests.benchmarks.granted_views [--devices 300] [--days 3]`

One row a device and minute; questions of a reader of one town and of all. Milliseconds, median of nine, by the server's
own clock.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any, Final, LiteralString

import psycopg

from tests.benchmarks import machine
from tests.fleet import register

QUESTIONS: Final[dict[str, LiteralString]] = {
    "a device's day, summed up": (
        "select count(*), sum(value_by_slot[1]) from {place}observation_set where device_key = 7"
        " and phenomenon_time >= timestamptz '2026-11-20' and phenomenon_time < timestamptz '2026-11-21'"
    ),
    "all devices' hour, summed up": (
        "select device_key, sum(value_by_slot[1]) from {place}observation_set"
        " where phenomenon_time >= timestamptz '2026-11-20 05:00' and phenomenon_time < timestamptz '2026-11-20 06:00'"
        " group by device_key"
    ),
    "newest hundred of a device, by the view": (
        "select * from {place}observation_set where device_key = 7 order by phenomenon_time desc limit 100"
    ),
    "current values of all": "select count(*), sum(value_by_slot[1]) from {place}latest",
}
PAGE: Final[LiteralString] = "select * from granted.observation_page(7, 1, '2026-01-01', '2027-01-01', false, 100)"


def took_ms(connection: psycopg.Connection[Any], question: str) -> float:
    """Median time of a question."""
    times = []
    for _ in range(9):
        rows = connection.execute(f"explain (analyze, timing off, summary) {question}".encode()).fetchall()
        times += [float(row[0].split()[2]) for row in rows if row[0].startswith(("Execution Time", "Planning Time"))]
    return statistics.median(a + b for a, b in zip(times[::2], times[1::2], strict=True))


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--days", type=int, default=3)
    arguments = parser.parse_args()
    with machine.database() as (_, url), psycopg.connect(url, autocommit=True) as connection:
        register(url, devices=arguments.devices)
        connection.execute(
            "insert into observation_set select t, t, device_key, array[1.5, 2.5, 3.5]::float8[] from device,"
            " generate_series(timestamptz '2026-11-20', timestamptz '2026-11-20' + %s * interval '1 day',"
            " interval '1 minute') t order by t, device_key",
            [arguments.days],
        )
        connection.execute(
            "insert into latest select device_key, '2026-11-22', '2026-11-22', '{1.5}',"
            " array[timestamptz '2026-11-22'], '{0}' from device"
        )
        connection.execute("vacuum analyze")
        connection.execute("set jit = off")
        town = connection.execute("select town_id from device where device_key = 7").fetchone()
        assert town is not None
        for name, question in QUESTIONS.items():
            cells = [f"{took_ms(connection, question.format(place='public.')):.2f}"]
            for towns in (town[0], "*"):
                connection.execute("select set_config('thubon.towns', %s, false)", [towns])
                connection.execute("set role thubon_read")
                cells.append(f"{took_ms(connection, question.format(place='granted.')):.2f}")
                connection.execute("reset role")
            print(f"{name}: table {cells[0]} ms, view of one town {cells[1]} ms, of all {cells[2]} ms")
        connection.execute("select set_config('thubon.towns', %s, false)", [town[0]])
        connection.execute("set role thubon_read")
        print(f"newest hundred of a device, by the function: {took_ms(connection, PAGE):.2f} ms")


if __name__ == "__main__":
    main()
