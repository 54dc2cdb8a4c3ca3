"""Figures: a value, or the reason why there is none."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.figures import MISSING_TEXTS, Missing, figures, ratio
from devices.lighting.rules import load_rules, rules_of
from devices.tables import DatedEntry, read_table
from devices.traffic.service import service_table
from devices.yaml_file import DataFileError

if TYPE_CHECKING:
    from collections.abc import Callable


class _Wrong(DatedEntry):
    source: str


def test_of_several_reasons_the_first_holds() -> None:
    first, second = np.array([True, False, False]), np.array([True, True, False])
    found = figures("x/1", "1", np.array([1.0, 2.0, 3.0]), (Missing.NO_READING, first), (Missing.NO_HISTORY, second))
    assert [found.at(at) for at in range(3)] == [(None, "no-reading"), (None, "no-history"), (3.0, None)]


def test_an_overflow_is_no_value() -> None:
    assert figures("x/1", "1", ratio(1e300, [1e-300])).at(0) == (None, "not-computable")


def test_every_reason_has_words() -> None:
    assert set(MISSING_TEXTS) == set(Missing)


def test_a_ratio_is_none_where_there_is_nothing_below() -> None:
    assert ratio([4, 4, 4, np.nan], [2, 0, np.nan, 1]).tolist() == pytest.approx([2, *[np.nan] * 3], nan_ok=True)


@pytest.mark.parametrize(("find", "days"), [(rules_of, "1999-01-01"), (service_table, "1999-01-01")])
def test_before_its_first_row_a_table_does_not_hold(find: Callable[[date], object], days: str) -> None:
    with pytest.raises(LookupError, match="hold on 1999-01-01"):
        find(date.fromisoformat(days))


def test_a_row_that_does_not_fit_is_named_with_its_line() -> None:
    assert load_rules()
    with pytest.raises(DataFileError, match=r"rules\.yaml:\d+: 0\.lamp: .*[Ee]xtra inputs"):
        read_table("lighting", "rules.yaml", list[_Wrong])
