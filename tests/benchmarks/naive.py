"""The program people write: aiomqtt, json.loads, one INSERT a reading, acknowledged by the library at receipt.

`python -m tests.benchmarks.naive PORT DATABASE_URL MESSAGES` prints `ready`, then the seconds it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import aiomqtt
import psycopg


async def main(port: int, url: str, expected: int) -> None:
    """Receive and insert `expected` messages."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "create table naive (device text, name text, time timestamptz, value float8,"
            " primary key (device, name, time))"
        )
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("thubon/v1/+/+/telemetry", qos=1)
            print("ready", flush=True)
            started, seen = 0.0, 0
            async for message in client.messages:
                started = started or time.perf_counter()
                body = json.loads(message.payload)  # type: ignore[arg-type]
                at = datetime.fromtimestamp(body["ts"] / 1000, tz=UTC)
                for name, value in body["values"].items():
                    await connection.execute(
                        "insert into naive values (%s, %s, %s, %s) on conflict do nothing",
                        (str(message.topic).split("/")[3], name, at, value),
                    )
                seen += 1
                if seen == expected:
                    print(time.perf_counter() - started, flush=True)
                    return


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
