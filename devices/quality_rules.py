"""What makes a possible value doubtful: rules by observed property, which a profile's datastream may change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from devices.models import IDENTIFIER_PATTERN
from devices.yaml_file import Document, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

LONGEST_S: Final = 2 * 86_400
"""The longest span a rule may name; so far back the worker looks for the beginning of a standstill."""

_Identifier = Annotated[str, Field(pattern=f"^{IDENTIFIER_PATTERN}$")]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Span = Annotated[int, Field(ge=60, le=LONGEST_S)]


@dataclass(frozen=True, slots=True)
class QualityRules:
    """What is said against the values of a datastream; all in its canonical unit. The default says nothing."""

    expected_lower: float = -inf
    expected_upper: float = inf
    spike: float | None = None  # the least departure that may be one; None: not judged
    stuck_s: int | None = None  # the same number within the bounds for so long; None: not judged
    flat_s: int | None = None  # the same number at a bound for so long; None: not judged


NO_RULES: Final = QualityRules()


class QualityEntry(BaseModel):
    """Rules as a data file holds them; a key that is absent leaves the default, null switches it off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expected: tuple[_Finite, _Finite] | None = None
    spike: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    stuck_s: _Span | None = None
    flat_s: _Span | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.expected is not None and self.expected[0] > self.expected[1]:
            raise ValueError(f"expected must be [lower, upper] with lower <= upper, got {list(self.expected)}")
        return self

    def over(self, rules: QualityRules) -> QualityRules:
        """These rules laid over others."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set if name != "expected"}
        if "expected" in self.model_fields_set:
            changes["expected_lower"], changes["expected_upper"] = self.expected or (-inf, inf)
        return replace(rules, **changes)


class _RulesFile(RootModel[dict[_Identifier, QualityEntry]]):
    pass


def read_quality_rules(document: Document) -> Mapping[str, QualityRules]:
    """Check a file of rules by observed property.

    Raises:
        DataFileError: names file, line, key and what is allowed.
    """
    try:
        entries = _RulesFile.model_validate(document.value).root
    except ValidationError as error:
        raise document.validation_error(error) from error
    return MappingProxyType({property_id: entry.over(NO_RULES) for property_id, entry in entries.items()})


@cache
def load_quality_rules() -> Mapping[str, QualityRules]:
    """The platform's rules by observed property; read once.

    Raises:
        DataFileError: the data file is wrong.
    """
    return read_quality_rules(read_yaml(files("devices") / "quality_rules.yaml"))


def rules_of(property_id: str) -> QualityRules:
    """The rules of an observed property."""
    return load_quality_rules().get(property_id, NO_RULES)
