"""Keeps the broker's accounts what the registry says: writes changes, waits for the broker, repairs what differs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg

from devices.identity.accounts import compare, digest, next_end
from devices.identity.files import AccountsFile, read_state
from devices.identity.metrics import IdentityMetrics, serve
from devices.queries import load_query

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from devices.identity.accounts import BrokerState
    from devices.settings import BrokerSettings

_LOG: Final = logging.getLogger(__name__)
CONFIRM_S: Final = 2.0
"""How long the broker may take to confirm; it looks at its file every 50 ms."""
_COMPARE_S: Final = 5.0  # longest pause between two comparisons
_TROUBLED_S: Final = 0.5  # the same, while they differ
_REWRITE_S: Final = 15.0  # between attempts to mend by writing the whole file
_LOOK_S: Final = 0.01
_WAIT_S: Final = 0.5  # between looks at whether we are to end
_RETRY_S: Final = 2.0
_SLACK_LINES: Final = 5_000  # the file may hold this many and twice the accounts before it is written anew
_LOCK: Final = "select pg_try_advisory_lock(hashtext('thubon broker accounts'))"

Connection = psycopg.Connection[Any]


class Keeper:
    """One pass after another over registry, accounts file and what the broker says.

    Args:
        connection: of a login in thubon_identity, autocommit; nobody else uses it.
        accounts_file: to write, for the broker to read.
        state_file: the other way round.
        metrics: told of each pass.
    """

    def __init__(self, connection: Connection, accounts_file: Path, state_file: Path, metrics: IdentityMetrics) -> None:
        self._connection = connection
        self._file = AccountsFile(accounts_file)
        self._state_file = state_file
        self._metrics = metrics
        self._written: dict[str, str] = {}  # the file
        self._token = ""
        self._written_at = 0.0
        self._held = self._confirmed_before()
        self._agreed = False

    def lead(self) -> bool:
        """Whether this keeper is the one that works; the others stand by until its connection ends."""
        row = self._connection.execute(_LOCK).fetchone()
        return row is not None and bool(row[0])

    def work(self) -> bool:
        """One pass: bring the file to the registry, wait for the broker, note what it confirmed.

        Returns:
            Whether registry and broker agree now.
        """
        started = time.monotonic()
        wanted = dict(self._connection.execute(load_query("wanted_accounts")).fetchall())
        wrote = self._write(wanted)
        state = self._confirmation(wanted, patience_s=CONFIRM_S if wrote else 0.0)
        if state is not None:
            self._note(wanted)
            if wrote:
                self._metrics.apply_seconds.observe(time.monotonic() - started)
        self._agreed = state is not None
        trouble = None if self._agreed else "the broker does not confirm the accounts it was given"
        self._connection.execute(load_query("note_account_check"), {"trouble": trouble})
        self._metrics.passed(len(compare(wanted, self._held).lines), state)
        return self._agreed

    def pause_s(self, now_s: float) -> float:
        """How long until the next pass is due, if nothing changes in the registry."""
        longest = _COMPARE_S if self._agreed else _TROUBLED_S
        end = next_end(self._written.values(), now_s=now_s)
        return longest if end is None else max(0.0, min(longest, end - now_s))

    def wait(self, timeout_s: float) -> bool:
        """Wait until the registry changes, or for so long.

        Returns:
            Whether a pass is due: the registry changed, or somebody touched the file.
        """
        told = any(True for _ in self._connection.notifies(timeout=timeout_s, stop_after=1))
        return told or self._file.touched()

    def _confirmed_before(self) -> dict[str, str]:
        """What an earlier keeper noted, where the broker still says the same; else nothing is known to be held."""
        held = dict(self._connection.execute(load_query("held_accounts")).fetchall())
        state = read_state(self._state_file)
        if state is None or _holds(state, held):
            return held
        _LOG.warning("The broker holds other accounts than it confirmed: all count as pending until it confirms them")
        self._connection.execute(load_query("forget_accounts"))
        return {}

    def _write(self, wanted: dict[str, str]) -> bool:
        """Bring the file to what is wanted.

        Returns:
            Whether anything was written.
        """
        now = time.monotonic()
        if self._file.touched():
            if self._token:
                _LOG.warning("The accounts file was changed by somebody else: written anew")
                self._metrics.repairing()
            self._token = self._file.write(wanted.values())
        elif (lines := compare(wanted, self._written).lines) and (
            self._file.lines + len(lines) <= 2 * len(wanted) + _SLACK_LINES
        ):
            self._token = self._file.append(lines)
        elif lines:
            self._token = self._file.write(wanted.values())
        elif now - self._written_at > _REWRITE_S and not self._agrees(wanted):
            _LOG.warning("The broker does not hold the accounts of the registry: its file is written anew")
            self._metrics.repairing()
            self._token = self._file.write(wanted.values())
        else:
            return False
        self._written, self._written_at = wanted, now
        return True

    def _agrees(self, wanted: dict[str, str]) -> bool:
        return self._confirmation(wanted, patience_s=0.0) is not None

    def _confirmation(self, wanted: dict[str, str], *, patience_s: float) -> BrokerState | None:
        """The broker's word that it holds exactly what is wanted; None where it does not come in time."""
        deadline = time.monotonic() + patience_s
        while True:
            state = read_state(self._state_file)
            if state is not None and state.token == self._token and _holds(state, wanted):
                return state
            if time.monotonic() >= deadline:
                return None
            time.sleep(_LOOK_S)

    def _note(self, wanted: dict[str, str]) -> None:
        change = compare(wanted, self._held)
        if change.lines:
            parameters = {
                "device_ids": list(change.put),
                "lines": list(change.put.values()),
                "removed": list(change.removed),
            }
            with self._connection.transaction():
                self._connection.execute(load_query("note_accounts"), parameters)
            _LOG.info("The broker holds %d changed accounts, %d in all", len(change.lines), len(wanted))
            self._held = wanted


def _holds(state: BrokerState, accounts: dict[str, str]) -> bool:
    return state.errors == 0 and state.accounts == len(accounts) and state.digest == digest(accounts.values())


def keep(settings: BrokerSettings, stopping: threading.Event) -> None:
    """Keep the accounts until `stopping` is set; a database that is away is waited for."""
    metrics = IdentityMetrics(settings)
    with serve(metrics, settings):
        while not stopping.is_set():
            try:
                with connect(settings) as connection:
                    _keep(connection, settings, metrics, stopping)
            except psycopg.Error as error:
                _LOG.warning("Storage is away: %s", " ".join(str(error).split()))
                metrics.agrees.set(0)
                stopping.wait(_RETRY_S)


def _keep(
    connection: Connection, settings: BrokerSettings, metrics: IdentityMetrics, stopping: threading.Event
) -> None:
    connection.execute("listen thubon_broker_accounts")
    keeper = Keeper(connection, settings.broker_accounts_file, settings.broker_state_file, metrics)
    while not stopping.is_set():
        if not keeper.lead():
            stopping.wait(_RETRY_S)
            continue
        while not stopping.is_set():
            keeper.work()
            metrics.look_at_certificates(connection)
            due = time.monotonic() + keeper.pause_s(time.time())
            # In short waits, so that a request to end is heard.
            while not stopping.is_set() and (left_s := due - time.monotonic()) > 0:
                if keeper.wait(min(_WAIT_S, left_s)):
                    break


def keep_once(settings: BrokerSettings) -> bool:
    """One pass that writes the accounts anew and waits for the broker.

    Returns:
        Whether registry and broker agree.

    Raises:
        psycopg.Error: the database is away.
        BlockingIOError: another keeper works, and repairs by itself.
    """
    with connect(settings) as connection:
        metrics = IdentityMetrics(settings)
        keeper = Keeper(connection, settings.broker_accounts_file, settings.broker_state_file, metrics)
        if not keeper.lead():
            raise BlockingIOError("another keeper works; it repairs by itself, within seconds")
        return keeper.work()


def connect(settings: BrokerSettings) -> Connection:
    """A connection whose statements commit by themselves."""
    return psycopg.connect(
        str(settings.database_url), autocommit=True, application_name="thubon identity", connect_timeout=5
    )
