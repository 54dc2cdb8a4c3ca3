"""`python -m ingest <program>`, see --help: exit status 0 done, 1 failed, 2 wrong settings or usage."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

from pydantic import ValidationError

from ingest import archive, commands, rebuild
from ingest.aggregator import Aggregator, AggregatorSettings
from ingest.settings import StorageSettings, WorkerSettings
from ingest.worker import Worker


def main(arguments: list[str] | None = None) -> int:
    """Run a program of the ingest room; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ingest",
        description="MQTT in, TimescaleDB out. Settings come from the environment, prefix THUBON_; see the README.",
    )
    programs = parser.add_subparsers(dest="program", required=True)
    programs.add_parser("worker", help="receive, check and store readings; acknowledge after COMMIT")
    programs.add_parser("aggregator", help="keep window statistics of what is stored")
    rebuild.add_parser(programs)
    archive.add_parser(programs)
    commands.add_parsers(programs)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        if options.program == "aggregator":
            return _aggregate(AggregatorSettings())  # type: ignore[call-arg]  # fields come from the environment
        if options.program == "rebuild":
            return rebuild.rebuild(options)
        if options.program == "export":
            return archive.export(options, StorageSettings())  # type: ignore[call-arg]  # from the environment
        if options.program != "worker":
            return commands.run(options, StorageSettings())  # type: ignore[call-arg]  # from the environment
        settings = WorkerSettings()  # type: ignore[call-arg]  # fields come from the environment
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]) or "settings"
            shown = name if name.startswith("THUBON_") or name == "settings" else f"THUBON_{name.upper()}"
            print(f"{shown}: {problem['msg']}", file=sys.stderr)
        return 2
    return asyncio.run(_work(settings))


def _aggregate(settings: AggregatorSettings) -> int:
    aggregator = Aggregator(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: aggregator.stop())
    aggregator.run()
    return 0


async def _work(settings: WorkerSettings) -> int:
    worker = Worker(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
