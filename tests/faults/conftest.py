"""The table of faults: what each test sent, stored, doubled and lost, printed when the run ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.sender import Comparison

_HEADINGS = ("fault", "runs", "sent", "acknowledged", "stored", "doubled", "lost")


@dataclass(frozen=True, slots=True)
class _Row:
    fault: str
    runs: int
    result: Comparison
    note: str

    def cells(self) -> tuple[str, ...]:
        counts = (self.runs, self.result.sent, self.result.acknowledged, self.result.stored, self.result.doubled)
        return (self.fault, *(f"{count:,}" for count in (*counts, self.result.lost)))


_rows = pytest.StashKey[list[_Row]]()


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Hold a comparison to "all that was acknowledged is stored once, as sent", and put it into the table of faults."""

    def hold(result: Comparison, *, fault: str, runs: int = 1, may_lose: bool = False, note: str = "") -> None:
        request.config.stash.setdefault(_rows, []).append(_Row(fault, runs, result, note))
        print(result)  # noqa: T201  # pytest shows it beside a failure
        assert result.acknowledged > 0
        assert (result.wrong, result.doubled) == (0, 0)
        assert may_lose or result.lost == 0

    return hold


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(_rows, [])
    if not rows:
        return
    lines = [_HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADINGS))]
    terminalreporter.section("faults, in readings")
    for line, note in zip(lines, ["", *(row.note for row in rows)], strict=True):
        first, *rest = line
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        terminalreporter.write_line("  ".join([*cells, note]).rstrip())
