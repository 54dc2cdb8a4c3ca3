"""`python -m simulators judge`: the judgement of a run on the command line."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

import httpx
import psycopg
from psycopg.conninfo import conninfo_to_dict

from simulators.journal import read_journal
from simulators.judge.judgement import Plan, judge
from simulators.judge.payloads import Bounds

SUMMARY = "hold what a run sent against what is stored and answered"
MAX_WAIT_S = 3_600.0


def describe(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `judge`, and `execute` to do it."""
    parser.description = f"{SUMMARY}. Exit status: 0 all is as it should be, 1 it deviates, 2 wrong usage."
    parser.add_argument(
        "--journal", type=Path, action="append", required=True, metavar="FILE", help="what a run wrote down; repeatable"
    )
    parser.add_argument("--database-url", help="a login that reads everything; default: THUBON_DATABASE_URL")
    parser.add_argument("--api", metavar="URL", help="the API as http://host:port; its token in THUBON_API_TOKEN")
    parser.add_argument(
        "--api-datastreams", type=_count, default=60, metavar="N", help="of how many the API is asked (60)"
    )
    parser.add_argument(
        "--wait", type=_wait, default=60.0, metavar="SECONDS", help="how long the pipeline has to become quiet (60)"
    )
    parser.add_argument(
        "--readings-a-minute",
        type=_count,
        default=Bounds().readings_a_minute,
        metavar="N",
        help="THUBON_INGEST_DEVICE_READINGS_A_MINUTE of the workers (6000)",
    )
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.set_defaults(execute=run_judge)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000_000:  # noqa: PLR2004 - said below
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 to 1000000000")
    return int(text)


def _wait(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= MAX_WAIT_S:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds from 0 to {MAX_WAIT_S:g}")
    return seconds


def run_judge(arguments: argparse.Namespace) -> int:
    """Judge, print, and answer the exit status."""
    database_url = arguments.database_url or os.environ.get("THUBON_DATABASE_URL")
    if not database_url:
        sys.stderr.write("THUBON_DATABASE_URL: must be set, or --database-url given\n")
        return 2
    try:
        conninfo_to_dict(database_url)
    except psycopg.Error:
        # Not its text: it may repeat the password.
        sys.stderr.write("THUBON_DATABASE_URL, --database-url: is not a PostgreSQL address\n")
        return 2
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request helps nobody here
    plan = Plan(
        database_url=database_url,
        api_url=arguments.api,
        api_token=os.environ.get("THUBON_API_TOKEN"),
        api_datastreams=arguments.api_datastreams,
        wait_s=arguments.wait,
        bounds=Bounds(readings_a_minute=arguments.readings_a_minute),
    )
    try:
        runs = [read_journal(file) for file in arguments.journal]
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        report = judge(runs, plan)
    except (psycopg.Error, httpx.HTTPError) as error:
        sys.stderr.write(f"cannot judge: {error}\n")
        return 1
    sys.stdout.write(json.dumps(report.as_json(), indent=2) if arguments.json else "\n".join(report.lines()))
    sys.stdout.write("\n")
    return 0 if report.good else 1
