"""`python -m api create-admin`: the first administrator, and the way back for a lost one."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from api.accounts import HASHER, PASSWORD_MAX, PASSWORD_MIN, RESERVED_NAMES
from api.security import new_secret
from sql import load_queries

if TYPE_CHECKING:
    import argparse

    from api.settings import ApiSettings

_QUERIES = load_queries("api_people")
_AUDIT = load_queries("api_audit")
EXIT_DONE, EXIT_FAILED, EXIT_WRONG_SETTINGS = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", help="name of the account, such as an.nguyen")
    parser.add_argument("--display-name", help="name as people read it; the account's name where left out")
    parser.add_argument("--generate", action="store_true", help="make a password and print it, and nothing else")
    parser.add_argument("--unless-any", action="store_true", help="do nothing where an administrator can log in")


def create_admin(arguments: argparse.Namespace, settings: ApiSettings) -> int:
    """Make an account an administrator of all towns, with a new password; every session it had ends.

    The password comes from the terminal, or from the first line of standard input where that is none.

    Returns:
        0 done, 1 the database refused or is away, 2 no database to change is set, or the password is too short.
    """
    if settings.database_url is None:
        print("THUBON_DATABASE_URL: must be set", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    if arguments.name in RESERVED_NAMES:
        print(f"create-admin: {arguments.name!r} is kept for programs; take another name", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    try:
        with psycopg.connect(settings.database_url.unicode_string(), connect_timeout=10) as connection:
            return _create(arguments, connection)
    except psycopg.errors.CheckViolation:
        print(f"create-admin: {arguments.name!r} is no name: small letters, digits and . _ @ -", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    except psycopg.Error as error:
        print(f"create-admin: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
        return EXIT_FAILED


def _create(arguments: argparse.Namespace, connection: psycopg.Connection) -> int:
    if arguments.unless_any and connection.execute(_QUERIES["any_administrator"]).fetchone() is not None:
        return EXIT_DONE
    password = new_secret() if arguments.generate else _asked()
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        print(f"create-admin: a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    name = arguments.name.lower()
    parameters = {
        "name": name,
        "display_name": arguments.display_name or name,
        "password_hash": HASHER.hash(password),
    }
    row = connection.execute(_QUERIES["put_administrator"], parameters).fetchone()
    assert row is not None  # noqa: S101 the statement gives one row
    account = {"account_id": row[0]}
    connection.execute(_QUERIES["drop_grants"], account)
    connection.execute(_QUERIES["add_grants"], account | {"towns": [None], "roles": ["administrator"]})
    connection.execute(_QUERIES["drop_sessions"], account)
    connection.execute(
        _AUDIT["add_audit"],
        {
            "actor": f"cli:{getpass.getuser()}",
            "address": None,
            "action": "user.create-admin",
            "outcome": "done",
            "town": None,
            "subject": name,
            "detail": None,
            "attempts": 1,
            "before": None,
            "after": Jsonb({"grants": {"*": "administrator"}}),
        },
    )
    if arguments.generate:
        print(password)
    return EXIT_DONE


def _asked() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password of the administrator: ")
    return sys.stdin.readline().rstrip("\n")
