"""The mutant: a worker that acknowledges at receipt, before COMMIT. The kill test must catch it."""

from __future__ import annotations

import sys

from ingest.__main__ import main
from ingest.connect import Session
from ingest.worker import Worker

_deliver = Worker._deliver


def _deliver_and_acknowledge(self: Worker, messages: list) -> None:
    _deliver(self, messages)
    Session.acknowledge(self._session, messages)
    for message in messages:
        message.packet_id = 0  # nothing is left to acknowledge after COMMIT


Worker._deliver = _deliver_and_acknowledge

if __name__ == "__main__":
    sys.exit(main(["worker"]))
