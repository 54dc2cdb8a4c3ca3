"""UCUM units and the linear conversion between units of one dimension.

Why a table of our own: `pint` with `ucumvert` reads all of UCUM, but puts a grammar and a unit registry into the start
of every worker, and gives a conversion as a function of floats where the database needs the pair (factor, addend).
Devices send a few dozen units; each stands here as the exact fraction of its definition, so a pair is rounded once.

Sources: UCUM (ucum.org), base units, prefixes and definitions of the customary units; BIPM SI brochure, 9th edition,
chapter 4 (litre, hour, bar); NIST SP 811, appendix B (mile, inch, foot, knot, mm of mercury: exact or conventional).
A code with braces bears a UCUM annotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final


class UnitError(ValueError):
    """A unit is not known here, or two units do not measure the same."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as a linear function of the base unit of its dimension: base = value * factor + addend."""

    dimension: str
    factor: Fraction
    addend: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Conversion:
    """converted = value * factor + addend, each rounded once from its exact fraction."""

    factor: float
    addend: float


def _units(dimension: str, factor_by_code: dict[str, str]) -> dict[str, Unit]:
    return {code: Unit(dimension, Fraction(factor)) for code, factor in factor_by_code.items()}


UNITS: Final[dict[str, Unit]] = {
    **_units("number", {"1": "1", "%": "1/100", "[ppth]": "1/1000", "[ppm]": "1/1000000", "[ppb]": "1/1000000000"}),
    **_units("mass concentration", {"ug/m3": "1", "mg/m3": "1000", "g/m3": "1000000", "ng/m3": "1/1000"}),
    "Cel": Unit("temperature", Fraction(1)),
    "K": Unit("temperature", Fraction(1), Fraction("-273.15")),
    "[degF]": Unit("temperature", Fraction(5, 9), Fraction(-160, 9)),
    # A litre of rain on a square metre stands one millimetre high, so L/m2 is a length.
    **_units(
        "length",
        {
            "m": "1",
            "km": "1000",
            "dm": "1/10",
            "cm": "1/100",
            "mm": "1/1000",
            "L/m2": "1/1000",
            "[in_i]": "0.0254",
            "[ft_i]": "0.3048",
        },
    ),
    **_units("speed", {"m/s": "1", "km/h": "5/18", "cm/s": "1/100", "[mi_i]/h": "0.44704", "[kn_i]": "1852/3600"}),
    **_units("power", {"W": "1", "mW": "1/1000", "kW": "1000", "MW": "1000000"}),
    **_units(
        "energy",
        {"W.h": "1", "kW.h": "1000", "MW.h": "1000000", "J": "1/3600", "kJ": "1000/3600", "MJ": "1000000/3600"},
    ),
    **_units("voltage", {"V": "1", "mV": "1/1000", "kV": "1000"}),
    **_units("current", {"A": "1", "mA": "1/1000", "uA": "1/1000000"}),
    **_units("frequency", {"Hz": "1", "kHz": "1000"}),
    **_units("angle", {"deg": "1", "gon": "9/10"}),
    **_units("pressure", {"Pa": "1", "hPa": "100", "kPa": "1000", "mbar": "100", "bar": "100000", "mm[Hg]": "133.322"}),
    **_units("time", {"s": "1", "ms": "1/1000", "min": "60", "h": "3600", "d": "86400"}),
    **_units("irradiance", {"W/m2": "1", "kW/m2": "1000"}),
    **_units("illuminance", {"lx": "1", "klx": "1000"}),
    # UCUM has no var: the annotation tells reactive from apparent power, which are never converted into one another.
    **_units("reactive power", {"V.A{reactive}": "1", "kV.A{reactive}": "1000"}),
    **_units("reactive energy", {"V.A.h{reactive}": "1", "kV.A.h{reactive}": "1000"}),
    **_units("sound pressure level", {"dB[SPL]": "1"}),
    # UCUM has B[W] but no B[mW]: the annotation keeps the code valid and says what the level is relative to.
    **_units("radio power level", {"dB{mW}": "1"}),
}
"""Every unit a device may send, by its case-sensitive UCUM code."""


MOLAR_VOLUME_L_MOL: Final = Fraction("8.31446261815324") * Fraction("298.15") / Fraction("101325") * 1000
"""Of an ideal gas at 25 Cel and 760 mm[Hg], the state QCVN 05:2023/BTNMT gives its limits for: 24.465 L/mol."""


def conversion(sent: str, stored: str, molar_mass_g_mol: float | None = None) -> Conversion:
    """How a value in the unit `sent` becomes one in the unit `stored`.

    Args:
        sent: UCUM code as the device sends.
        stored: UCUM code of the observed property.
        molar_mass_g_mol: of a gas: its mixing ratio (ppb, ppm, %) then becomes a mass concentration at 25 Cel and
            760 mm[Hg]. A convention, not an identity: it holds as far as the device measured in that state.

    Raises:
        UnitError: a code is not in `UNITS`, or the two units measure different things; names the units that would do.
    """
    source, target = _unit(sent), _unit(stored)
    if molar_mass_g_mol is not None and (source.dimension, target.dimension) == ("number", "mass concentration"):
        # g/mol by L/mol is g/L, of which one is 1e9 ug/m3.
        ug_m3_by_ratio = Fraction(str(molar_mass_g_mol)) / MOLAR_VOLUME_L_MOL * 10**9
        return Conversion(factor=float(source.factor * ug_m3_by_ratio / target.factor), addend=0.0)
    if source.dimension != target.dimension:
        allowed = ", ".join(code for code, unit in UNITS.items() if unit.dimension == target.dimension)
        raise UnitError(
            f"unit '{sent}' measures {source.dimension}, '{stored}' measures {target.dimension}; allowed: {allowed}"
        )
    return Conversion(
        factor=float(source.factor / target.factor), addend=float((source.addend - target.addend) / target.factor)
    )


def _unit(code: str) -> Unit:
    unit = UNITS.get(code)
    if unit is None:
        raise UnitError(f"unit '{code}' is not known; known UCUM codes: {', '.join(UNITS)}")
    return unit
