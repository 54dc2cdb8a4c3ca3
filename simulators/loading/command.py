"""`python -m simulators load`: load at a rate, and its report."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import psycopg

from devices.address import check_address
from simulators.link import tls_context
from simulators.loading.latency import Latencies
from simulators.loading.processes import processor_s
from simulators.loading.report import LoadReport
from simulators.loading.sender import Sender
from simulators.loading.templates import templates_of
from simulators.loading.watchers import Counted, watch_commits, watch_live
from simulators.scenario import load_scenario
from simulators.settings import Broker, read_settings
from simulators.siting import build_fleet

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from simulators.loading.templates import Template

SUMMARY: Final = "send as much as is asked for, and report rates, latencies and processor time"
MAX_SECONDS: Final = 86_400.0
_DRAIN_S: Final = 60.0
_READY_S: Final = 10.0


def describe(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `load`, and `execute` to do it."""
    parser.add_argument("--scenario", default="demo", help="whose fleet sends; its devices must be registered (demo)")
    parser.add_argument("--broker", help="mqtt:// or mqtts:// URL; default: THUBON_BROKER_URL")
    parser.add_argument("--rate", type=_rate, default=10_000.0, metavar="N", help="readings a second, or max (10000)")
    parser.add_argument("--seconds", type=_seconds, default=15.0, metavar="N", help="how long (15)")
    parser.add_argument("--connections", type=_connections, default=4, metavar="N", help="MQTT connections (4)")
    parser.add_argument("--qos", type=int, choices=(0, 1, 2), default=1)
    parser.add_argument("--database-url", help="shows what was stored, and publish to commit")
    parser.add_argument("--api", metavar="URL", help="shows publish to live push; its token in THUBON_API_TOKEN")
    parser.add_argument(
        "--watch", type=_part, action="append", default=[], metavar="PART=PID", help="processor time of; repeatable"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="report.json, percentiles (.hgrm) and load.png")
    parser.set_defaults(execute=_load)


def _number(text: str, lowest: float, highest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not lowest <= number <= highest:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from {lowest:g} to {highest:g}")
    return number


def _rate(text: str) -> float | None:
    return None if text == "max" else _number(text, 1.0, 1e8)


def _seconds(text: str) -> float:
    return _number(text, 1.0, MAX_SECONDS)


def _connections(text: str) -> int:
    return int(_number(text, 1, 10_000))


def _part(text: str) -> tuple[str, int]:
    name, _, pid = text.partition("=")
    if not name or not pid.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no part and process; write it like broker=1234")
    return name, int(pid)


@dataclass(frozen=True, slots=True)
class _Plan:
    readings_s: float | None
    seconds: float
    connections: int
    qos: int
    database_url: str | None
    api_url: str | None
    api_token: str | None
    watch: Mapping[str, int]


async def run_load(
    broker: Broker, tls: ssl.SSLContext | None, templates: Sequence[Template], plan: _Plan
) -> LoadReport:
    """Do one run.

    Raises:
        LoadError: no connection to the broker, or one was lost.
        psycopg.Error, httpx.HTTPError: database or API do not answer.
    """
    sender = Sender(broker, tls, templates, connections=plan.connections, qos=plan.qos)
    counted = await asyncio.to_thread(Counted, plan.database_url) if plan.database_url else None
    latencies: dict[str, Latencies] = {}
    watchers: list[asyncio.Task[None]] = []
    if plan.database_url:
        latencies["commit"] = Latencies("publish to commit")
        commits = watch_commits(plan.database_url, lambda: sender.sent.newest, latencies["commit"])
        watchers.append(asyncio.create_task(commits, name="commits"))
    if plan.api_url:
        latencies["live"] = Latencies("publish to live push")
        ready = asyncio.Event()
        live = asyncio.create_task(watch_live(plan.api_url, plan.api_token, latencies["live"], ready), name="live")
        watchers.append(live)
        await asyncio.wait(
            {live, asyncio.create_task(ready.wait())}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED
        )
    before = {part: processor_s(pid) for part, pid in plan.watch.items()}
    try:
        await sender.run(plan.readings_s, plan.seconds)
        counts, at = await counted.wait(sender.sent.readings, _DRAIN_S) if counted else (None, None)
        used = {part: processor_s(pid) - before[part] for part, pid in plan.watch.items()}
        for watcher in watchers:
            if watcher.done():
                await watcher  # raises what ended it
    finally:
        for watcher in watchers:
            watcher.cancel()
            with suppress(asyncio.CancelledError, psycopg.Error, httpx.HTTPError):
                await watcher
    return LoadReport(
        offered_readings_s=plan.readings_s,
        seconds=sender.sent.ended - sender.sent.started,
        sent=sender.sent,
        counted=counts,
        until_counted_s=None if at is None else at - sender.sent.started,
        latencies=latencies,
        processor_s=used,
    )


def _load(arguments: argparse.Namespace) -> int:
    if arguments.broker:
        os.environ["THUBON_BROKER_URL"] = arguments.broker
    settings = read_settings()
    broker = Broker(settings.broker_url)
    tls = tls_context(broker, settings.broker_ca_file)
    plan = _Plan(
        readings_s=arguments.rate,
        seconds=arguments.seconds,
        connections=arguments.connections,
        qos=arguments.qos,
        database_url=check_address(arguments.database_url) if arguments.database_url else None,
        api_url=arguments.api,
        api_token=os.environ.get("THUBON_API_TOKEN"),
        watch=dict(arguments.watch),
    )
    fleet = [device for device in build_fleet(load_scenario(arguments.scenario)) if device.registered]
    templates = templates_of(fleet, time.time(), plan.qos)
    try:
        report = asyncio.run(run_load(broker, tls, templates, plan))
    except (psycopg.Error, httpx.HTTPError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(report.lines()) + "\n")
    if arguments.out:
        sys.stdout.write(f"in {arguments.out}: {', '.join(report.save(arguments.out))}\n")
    return 0
