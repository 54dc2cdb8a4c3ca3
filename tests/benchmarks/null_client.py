"""The floor of receiving: our own session, acknowledging at once and throwing everything away.

`python -m tests.benchmarks.null_client PORT MESSAGES` prints `ready`, then the seconds between first and last message.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from ingest.clock import SystemClock
from ingest.connect import Session
from ingest.route import subscriptions
from ingest.settings import BrokerAddress

if TYPE_CHECKING:
    from ingest.records import Message


async def main(port: int, expected: int) -> None:
    """Receive `expected` messages."""
    done = asyncio.Event()
    seen = 0
    first = 0.0

    def deliver(messages: list[Message]) -> None:
        nonlocal seen, first
        first = first or time.perf_counter()
        seen += len(messages)
        session.acknowledge(messages)
        if seen >= expected:
            done.set()

    session = Session(
        address=BrokerAddress(host="127.0.0.1", port=port),
        client_id="null-client",
        filters=subscriptions(),
        receive_maximum=16_000,
        session_expiry_s=3_600,
        keep_alive_s=20,
        maximum_packet_bytes=1_048_576,
        clock=SystemClock(),
        deliver=deliver,
    )
    task = asyncio.create_task(session.run())
    await session.ready.wait()
    print("ready", flush=True)
    await done.wait()
    print(time.perf_counter() - first, flush=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
