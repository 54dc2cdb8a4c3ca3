"""The commands `run` and `fleet`: their arguments, and what they do."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import resource
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.certificates import find_certificates
from simulators.faults.plan import plan_faults
from simulators.fleet import registry_csv
from simulators.journal import Journal
from simulators.link import Link, read_accounts, tls_context
from simulators.moments import local_midnight_s
from simulators.run import CLIENTS, RunPlan, run
from simulators.scenario import Scenario, load_scenario, scenario_names
from simulators.settings import Broker, SimulatorSettings, read_settings
from simulators.signals import DAY_S
from simulators.siting import build_fleet, local_today

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.fleet import SimulatedDevice

logger = logging.getLogger(__name__)

RUN_SUMMARY = "play a fleet of devices to a broker, as real devices do"
FLEET_SUMMARY = "the fleet as the CSV that `python -m devices import` reads"
MAX_BACKFILL_S = 400 * 86_400.0
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SPARE_FILES = 100


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no length of time; write it like 90s, 30m, 24h or 7d")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if seconds > MAX_BACKFILL_S:
        raise argparse.ArgumentTypeError(f"'{text}' is too long; at most {MAX_BACKFILL_S / 86_400:.0f}d")
    return seconds


def _rate(text: str) -> float:
    return _number(text, 1.0, 1e6, "rate")


def _scale(text: str) -> float:
    return _number(text, 0.0, 1e3, "scale")


def _number(text: str, above: float, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = above
    if not above < number <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is no {what}; a number above {above:g} and up to {most:.0f}")
    return number


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day; write it like 2026-11-23") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - without an offset, and so refused below
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no time with offset; write it like 2026-11-23T18:00:00+07:00")
    return moment


def _describe_fleet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario", default="demo", help=f"name ({', '.join(scenario_names())}) or a .yaml file; default: demo"
    )
    parser.add_argument("--scale", type=_scale, metavar="N", help="so many times the devices of the scenario")
    parser.add_argument("--day", type=_day, help="the day that the scenario's events count from; default: today there")


def describe_run(parser: argparse.ArgumentParser) -> None:
    """The arguments of `run`."""
    _describe_fleet(parser)
    parser.add_argument("--broker", help="mqtt:// or mqtts:// URL; default: THUBON_BROKER_URL")
    time_of = parser.add_argument_group("time")
    time_of.add_argument("--backfill", type=_seconds, metavar="TIME", help="send this much history first, such as 24h")
    time_of.add_argument("--from", dest="begin", type=_moment, metavar="WHEN", help="or the history from this time on")
    time_of.add_argument("--until", type=_moment, metavar="WHEN", help="end the history, and the run, at this time")
    time_of.add_argument(
        "--rate", type=_rate, help="play the history this many times as fast as it happened; default: at once"
    )
    time_of.add_argument(
        "--duration", type=_seconds, metavar="TIME", help="end this long after the history; 0s: right after it"
    )
    wire = parser.add_argument_group("connections")
    wire.add_argument("--client", choices=sorted(CLIENTS), default="paho", help="light: thousands in one process")
    wire.add_argument("--mqtt", choices=("3.1.1", "5"), default="3.1.1", help="version of MQTT")
    wire.add_argument(
        "--beside", action="store_true", help="history of devices that are connected already; with --until"
    )
    wire.add_argument("--qos", type=int, choices=(0, 1, 2), default=1, help="of what devices report")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="write down all that is sent, for `judge`")
    parser.set_defaults(execute=_run)


def describe_fleet(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fleet`."""
    _describe_fleet(parser)
    parser.add_argument("--out", type=Path, help="file to write; default: standard output")
    parser.set_defaults(execute=_fleet)


def _built(arguments: argparse.Namespace) -> tuple[Scenario, date, tuple[SimulatedDevice, ...]]:
    scenario = load_scenario(arguments.scenario)
    if arguments.scale is not None:
        scenario = Scenario.model_validate(
            {**scenario.model_dump(by_alias=True, exclude_unset=True), "scale": arguments.scale}
        )
    day = arguments.day or local_today()
    return scenario, day, build_fleet(scenario, day)


def _plan(arguments: argparse.Namespace, scenario: Scenario) -> RunPlan:
    now_s = time.time()
    if arguments.begin is not None and arguments.backfill is not None:
        raise ValueError("--backfill and --from both say where the history begins; give one of them")
    start_s = now_s - (arguments.backfill or 0.0)
    if arguments.begin is not None:
        start_s = arguments.begin.timestamp()
    end_s = arguments.until.timestamp() if arguments.until is not None else None
    if arguments.beside and end_s is None:
        raise ValueError("--beside sends history alone; give --until as well")
    if end_s is not None and not start_s < end_s <= now_s:
        raise ValueError("--until must lie after the beginning of the history and not after now")
    if not now_s - MAX_BACKFILL_S <= start_s <= now_s:
        raise ValueError(f"the history may begin at most {MAX_BACKFILL_S / DAY_S:.0f}d ago, and not after now")
    return RunPlan(start_s, end_s, arguments.duration, arguments.rate, scenario.readings_per_message, arguments.client)


def _link(settings: SimulatorSettings, arguments: argparse.Namespace, fleet: Sequence[SimulatedDevice]) -> Link:
    """How the fleet reaches the broker.

    Raises:
        ValueError: accounts or certificates are not as they have to be.
        OSError: a file cannot be read.
    """
    broker, ca_file = Broker(settings.broker_url), settings.broker_ca_file
    accounts = read_accounts(settings.simulators_credentials_file) if settings.simulators_credentials_file else {}
    certificates = None
    if settings.simulators_certificates_dir is not None:
        if not broker.tls:
            raise ValueError("THUBON_SIMULATORS_CERTIFICATES_DIR: certificates need a broker at mqtts://")
        certificates = find_certificates(
            settings.simulators_certificates_dir,
            (device.device_id for device in fleet if device.gateway_id is None),
            settings.simulators_certificates_port,
            ca_file,
        )
    tls = tls_context(broker, ca_file)
    return Link(broker, tls, arguments.mqtt, arguments.qos, accounts, certificates, arguments.beside)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.broker:
        os.environ["THUBON_BROKER_URL"] = arguments.broker
    scenario, day, fleet = _built(arguments)
    link = _link(read_settings(), arguments, fleet)
    plan = _plan(arguments, scenario)
    faults = plan_faults(fleet, scenario.faults, scenario.seed, day)
    _allow_files(len(fleet))
    logger.info("%d devices of scenario %s to %s", len(fleet), arguments.scenario, link.broker)
    header = {
        "scenario": arguments.scenario,
        "seed": scenario.seed,
        "scale": scenario.scale,
        "day": day.isoformat(),
        "day_begins": datetime.fromtimestamp(local_midnight_s(day), UTC).isoformat(),
        "start": datetime.fromtimestamp(plan.start_s, UTC).isoformat(),
        "accelerated": plan.rate is not None or plan.end_s is not None or (arguments.backfill or 0.0) > 0.0,
    }
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(Journal(arguments.journal, header=header)) if arguments.journal else None
        tally = asyncio.run(run(fleet, link, plan, faults, journal))
    print(  # noqa: T201 - what the command is for
        f"sent {tally.sent} messages, acknowledged {tally.acknowledged} "
        f"({tally.reports} reports, {tally.readings} readings); "
        f"{tally.connects} connections made, {tally.failures} failed or lost"
        + (f"; {tally.refused} refused by the broker" if tally.refused else "")
        + (f"; {tally.lost} lost on purpose" if tally.lost else "")
    )
    return 0 if tally.connects else 1


def _allow_files(connections: int) -> None:
    """Let this process have a socket for each connection, as far as the system does.

    Raises:
        ValueError: it does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise ValueError(
                f"{connections} connections need {wanted} open files; the system allows {hard} (ulimit -n)"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _fleet(arguments: argparse.Namespace) -> int:
    _, _, fleet = _built(arguments)
    text = registry_csv(fleet)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0
