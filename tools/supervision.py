"""Starts programs as parts of one whole: each with a bounded log, none outliving us, all ended in order."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

LOG_BYTES = 4 * 1024 * 1024
LOG_KEPT_BYTES = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class PartError(Exception):
    """A part failed; the text says which, how, and what it logged last."""


@dataclass(slots=True)
class Part:
    """One program of the whole.

    Its output goes straight to its log file, which is cut when it grows: a supervisor that hangs never blocks it.
    """

    name: str
    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # run as this user (needs root)
    stop_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches us alone and we end it in order.

        Raises:
            PartError: it cannot be started.
        """
        account = pwd.getpwnam(self.user) if self.user else None
        with self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self.environment},
                    start_new_session=True,
                    user=account.pw_uid if account else None,
                    group=account.pw_gid if account else None,
                    extra_groups=[] if account else None,
                    # Runs after the change of user, which would undo it. This process has one thread only.
                    preexec_fn=_die_with(os.getpid(), self.stop_signal),  # noqa: PLW1509
                )
            except OSError as error:
                raise PartError(f"{self.name} cannot be started: {error}") from error

    def is_alive(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def check(self) -> None:
        """Raise PartError when the program ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            code = self.process.returncode
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
            raise PartError(f"{self.name} {how}; the end of {self.log}:\n{self.last_lines()}")

    def last_lines(self, count: int = 15) -> str:
        """The end of the log, indented."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 16_384))
                text = log.read().decode(errors="replace").replace("\r", "\n")
        except OSError:
            return "  (no log)"
        lines = [line for line in text.splitlines() if line.strip()][-count:]
        return "\n".join(f"  {line}" for line in lines) or "  (nothing logged)"

    def bound_log(self) -> None:
        """Cut the log to its newest part when it has grown too large."""
        try:
            if self.log.stat().st_size <= LOG_BYTES:
                return
            with self.log.open("r+b") as log:
                log.seek(-LOG_KEPT_BYTES, os.SEEK_END)
                kept = log.read()
                # The program appends, so it goes on behind what is kept.
                log.seek(0)
                log.truncate(0)
                log.write(kept)
        except OSError:
            return

    def ask_to_stop(self) -> None:
        """Send the program its signal to end."""
        if self.process is not None and self.is_alive():
            self.process.send_signal(self.stop_signal)

    def wait(self, deadline: float) -> bool:
        """Wait until the program has ended; at the monotonic deadline kill it and all it started.

        Returns:
            Whether it ended by itself.
        """
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _kill_group(self.process.pid)
            self.process.wait()
            return False
        _kill_group(self.process.pid)
        return True


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes its program: ask the kernel for a signal when we die, even by SIGKILL."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # we died before the kernel could take note
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _kill_group(leader: int) -> None:
    """Kill what is left of a session that we made: its group bears the leader's id."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop_all(stages: Sequence[tuple[float, Sequence[Part]]]) -> list[str]:
    """End parts stage by stage, each stage at once and within its seconds.

    Returns:
        Names of the parts that had to be killed.
    """
    killed: list[str] = []
    for seconds, parts in stages:
        deadline = time.monotonic() + seconds
        for part in parts:
            part.ask_to_stop()
        killed.extend(part.name for part in parts if not part.wait(deadline))
    return killed
