"""Processor time of the parts under load, by process id: the process's control group, or it and its children."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class ProcessError(OSError):
    """There is no such process."""


def processor_s(pid: int) -> float:
    """Processor seconds that a part used so far, ended children included.

    A process in a control group of its own, as in a container, stands for the group; else for itself and its children.

    Args:
        pid: a process of the part; of a container what `docker inspect -f '{{.State.Pid}}'` says.

    Raises:
        ProcessError: there is none.
    """
    try:
        group = _group(pid)
        if group != _group(os.getpid()) and (seconds := _group_s(group)) is not None:
            return seconds
        return _tree_s(pid)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessError(f"there is no process {pid}") from error


def _group(pid: int) -> dict[str, str]:
    """Control groups of a process by controllers; version 2 has one, of no name."""
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines()
    return {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}


def _group_s(group: dict[str, str]) -> float | None:
    for controllers, path in group.items():
        if not controllers:
            stat = Path(f"/sys/fs/cgroup{path}/cpu.stat")
            if path != "/" and stat.exists():
                return int(stat.read_text(encoding="ascii").split()[1]) / 1e6
        elif "cpuacct" in controllers.split(","):
            usage = Path(f"/sys/fs/cgroup/cpuacct{path}/cpuacct.usage")
            if path != "/" and usage.exists():
                return int(usage.read_text(encoding="ascii")) / 1e9
    return None


def _tree_s(pid: int) -> float:
    seconds, waiting = 0.0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            children = Path(f"/proc/{each}/task/{each}/children")
            waiting += (
                [int(child) for child in children.read_text(encoding="ascii").split()] if children.exists() else []
            )
        except (FileNotFoundError, ProcessLookupError):
            if each == pid:
                raise
            continue  # a child that ended meanwhile: its parent has its ticks
        seconds += sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND
    return seconds
