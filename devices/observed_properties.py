"""The observed properties: each quantity with its canonical unit and physical bounds, declared once in a data file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints, ValidationError, model_validator

from devices.models import IDENTIFIER_PATTERN, Bilingual, ObservedProperty
from devices.units import UNITS
from devices.yaml_file import Document, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

Identifier = Annotated[str, StringConstraints(pattern=f"^{IDENTIFIER_PATTERN}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class BilingualEntry(BaseModel):
    """A text in both languages, as a data file holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vi: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def record(self) -> Bilingual:
        """The plain record."""
        return Bilingual(vi=self.vi, en=self.en)


class _PropertyEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: BilingualEntry
    description: str = Field(min_length=1)
    unit: str
    bounds: tuple[Finite, Finite]
    decimals: int = Field(ge=0, le=6)
    words: dict[Identifier, int] = {}
    fiware: str = Field(default="Device.value", pattern=r"^[A-Z][A-Za-z]+\.[A-Za-z0-9_]+$")
    sensorthings: str = Field(min_length=1)
    definition: str = Field(pattern=r"^(https?://|urn:)\S+$")
    molar_mass_g_mol: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        lower, upper = self.bounds
        if self.unit not in UNITS:
            raise ValueError(f"unit '{self.unit}' is not known; known UCUM codes: {', '.join(UNITS)}")
        if lower > upper:
            raise ValueError(f"bounds must be [lower, upper] with lower <= upper, got [{lower}, {upper}]")
        if len(set(self.words.values())) < len(self.words):
            raise ValueError("every word needs a number of its own")
        outside = [word for word, number in self.words.items() if not lower <= number <= upper]
        if outside:
            raise ValueError(f"words {outside} lie outside the bounds [{lower}, {upper}]")
        return self


class _PropertyFile(RootModel[dict[Identifier, _PropertyEntry]]):
    pass


def read_observed_properties(document: Document) -> Mapping[str, ObservedProperty]:
    """Check a file of observed properties.

    Raises:
        DataFileError: names file, line, key and what is allowed, for every fault.
    """
    try:
        entries = _PropertyFile.model_validate(document.value).root
    except ValidationError as error:
        raise document.validation_error(error) from error
    return MappingProxyType(
        {
            property_id: ObservedProperty(
                property_id=property_id,
                name=entry.name.record(),
                description=entry.description,
                unit=entry.unit,
                lower_bound=entry.bounds[0],
                upper_bound=entry.bounds[1],
                decimals=entry.decimals,
                words=MappingProxyType(entry.words),
                fiware=entry.fiware,
                sensorthings=entry.sensorthings,
                definition=entry.definition,
                molar_mass_g_mol=entry.molar_mass_g_mol,
            )
            for property_id, entry in entries.items()
        }
    )


@cache
def load_observed_properties() -> Mapping[str, ObservedProperty]:
    """The observed properties of the platform, by id; read once.

    Raises:
        DataFileError: the data file is wrong.
    """
    return read_observed_properties(read_yaml(files("devices") / "observed_properties.yaml"))
