"""A scenario with every fault, through real servers by `make oracle`, is judged as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.oracle import play_and_judge

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(240)
def test_what_a_city_with_every_fault_sent_is_what_is_stored(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = play_and_judge("every-fault", "90m", [], tmp_path)
    said = capfd.readouterr().out
    assert status == 0, said
    table = {line.split()[0]: line.split()[1:] for line in said.splitlines() if len(line.split()) >= 9}
    assert {"lost", "duplicated", "late", "out-of-order", "none"} <= set(table)
    assert said.rstrip().endswith("judgement: all is as it should be")
