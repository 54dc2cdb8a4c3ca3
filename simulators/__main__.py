"""`python -m simulators`: the three towns in simulation."""

from __future__ import annotations

import argparse
import logging
import sys

from pydantic import ValidationError

from devices.yaml_file import DataFileError
from simulators import playing
from simulators.judge import command as judging
from simulators.loading import command as loading
from simulators.replaying import command as replaying


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description="The three towns in simulation.")
    commands = parser.add_subparsers(dest="command", required=True)
    playing.describe_run(commands.add_parser("run", help=playing.RUN_SUMMARY))
    playing.describe_fleet(commands.add_parser("fleet", help=playing.FLEET_SUMMARY))
    judging.describe(commands.add_parser("judge", help=judging.SUMMARY))
    replaying.describe_record(commands.add_parser("record", help=replaying.RECORD))
    replaying.describe_replay(commands.add_parser("replay", help=replaying.REPLAY))
    loading.describe(commands.add_parser("load", help=loading.SUMMARY))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the program; answers its exit status: 0 done, 1 failed, 2 wrong settings or usage."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request
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
