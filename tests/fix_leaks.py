"""A passing test that leaves asyncio tasks or processes behind fails."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 5.0
_passed = pytest.StashKey[bool]()
_lasting: set[int] = set()  # processes that fixtures of a wider scope started


def pytest_configure() -> None:
    # Grandchildren whose parent ends become our children, so that nobody leaves our sight.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    before = _children()
    result = yield
    if fixturedef.scope != "function":
        _lasting.update(_children() - before)
    return result


def outlives_the_test(pid: int) -> None:
    """Say that a process started within a test is ended by a fixture of a wider scope."""
    _lasting.add(pid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    before = _children()
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("_no_task_left")
    yield
    left = _left_over(before)
    if left and request.node.stash.get(_passed, False):
        pytest.fail(f"the test left processes behind: {'; '.join(left)}", pytrace=False)


@pytest_asyncio.fixture
async def _no_task_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left: set[asyncio.Task[object]] = set()
    for _ in range(5):  # a cancelled task needs a turn or two to end
        await asyncio.sleep(0)
        current = asyncio.current_task()
        left = {task for task in asyncio.all_tasks() - before if task is not current and not task.done()}
    if left and request.node.stash.get(_passed, False):
        names = ", ".join(f"{task.get_name()} ({task.get_coro()})" for task in left)
        pytest.fail(f"the test left asyncio tasks running: {names}", pytrace=False)


def _children() -> set[int]:
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(int(pid) for pid in listing.read_text().split())
        except FileNotFoundError:  # a thread that ended meanwhile
            continue
    return found


def _running(pid: int) -> str | None:
    """The command of a process that has not ended, else None."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else command.replace(b"\0", b" ").decode(errors="replace").strip()


def _left_over(before: set[int]) -> list[str]:
    """Wait a moment for the processes started since to end; end the others and name them."""
    deadline = time.monotonic() + _GRACE_S
    while True:
        left = {pid: command for pid in _children() - before - _lasting if (command := _running(pid)) is not None}
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    for pid in _children() - before - _lasting:  # adopted ones have nobody else to wait for them
        try:
            os.waitpid(pid, 0 if pid in left else os.WNOHANG)
        except ChildProcessError:
            continue
    return [f"{command} ({pid})" for pid, command in left.items()]
