"""`python -m simulators`: the three towns in simulation."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sys
from pathlib import Path

from pydantic import ValidationError

from devices.yaml_file import DataFileError
from simulators.fleet import registry_csv
from simulators.judge import command as judging
from simulators.loading import command as loading
from simulators.replaying import command as replaying
from simulators.run import RunPlan, run
from simulators.scenario import load_scenario, scenario_names
from simulators.settings import Broker, read_settings
from simulators.siting import build_fleet

_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
MAX_BACKFILL_S = 400 * 86_400.0


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no length of time; write it like 90s, 30m, 24h or 7d")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if seconds > MAX_BACKFILL_S:
        raise argparse.ArgumentTypeError(f"'{text}' is too long; at most {MAX_BACKFILL_S / 86_400:.0f}d")
    return seconds


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1.0 < rate <= 1e6:  # noqa: PLR2004 - stated in the message
        raise argparse.ArgumentTypeError(f"'{text}' is no rate; a number above 1 and up to 1000000")
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description="The three towns in simulation.")
    commands = parser.add_subparsers(dest="command", required=True)
    scenario = f"name ({', '.join(scenario_names())}) or a .yaml file"

    play = commands.add_parser("run", help="play a fleet of devices to a broker, as real devices do")
    play.add_argument("--scenario", default="demo", help=scenario)
    play.add_argument("--broker", help="mqtt:// or mqtts:// URL; default: THUBON_BROKER_URL")
    play.add_argument(
        "--backfill", type=_seconds, default=0.0, metavar="TIME", help="send this much history first, such as 24h"
    )
    play.add_argument(
        "--duration", type=_seconds, metavar="TIME", help="end this long after the history; 0s: right after it"
    )
    play.add_argument(
        "--rate", type=_rate, help="play the history this many times as fast as it happened; default: at once"
    )

    fleet = commands.add_parser("fleet", help="the fleet as the CSV that `python -m devices import` reads")
    fleet.add_argument("--scenario", default="demo", help=scenario)
    fleet.add_argument("--out", type=Path, help="file to write; default: standard output")
    judging.describe(commands.add_parser("judge", help=judging.SUMMARY))
    replaying.describe_record(commands.add_parser("record", help=replaying.RECORD))
    replaying.describe_replay(commands.add_parser("replay", help=replaying.REPLAY))
    loading.describe(commands.add_parser("load", help=loading.SUMMARY))
    play.set_defaults(execute=_run)
    fleet.set_defaults(execute=_fleet)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.broker:
        os.environ["THUBON_BROKER_URL"] = arguments.broker
    broker = Broker(read_settings().broker_url)
    scenario = load_scenario(arguments.scenario)
    fleet = build_fleet(scenario)
    plan = RunPlan(arguments.backfill, arguments.duration, arguments.rate, scenario.readings_per_message)
    logging.getLogger(__name__).info("%d devices of scenario %s to %s", len(fleet), arguments.scenario, broker)
    tally = asyncio.run(run(fleet, broker, plan))
    print(
        f"sent {tally.sent} messages, acknowledged {tally.acknowledged} "
        f"({tally.reports} reports, {tally.readings} readings); "
        f"{tally.connects} connections made, {tally.failures} failed or lost"
    )
    return 0 if tally.connects else 1


def _fleet(arguments: argparse.Namespace) -> int:
    text = registry_csv(build_fleet(load_scenario(arguments.scenario)))
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the program; answers its exit status: 0 done, 1 failed, 2 wrong settings or usage."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return int(arguments.execute(arguments))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            print(f"THUBON_{str(fault['loc'][0]).upper()}: {fault['msg']}", file=sys.stderr)
    except (DataFileError, ValueError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 2


if __name__ == "__main__":
    sys.exit(main())
