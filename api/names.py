"""What an operator reads instead of an id."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from devices.observed_properties import load_observed_properties
from devices.profiles import load_catalogue
from devices.quality import FLAG_NAMES, flag_id, flags_of

if TYPE_CHECKING:
    from api.schemas import Flag, FlagId, Name
    from devices.models import Bilingual


def load_names() -> None:
    """Read catalogue and observed properties once, so that a fault in them ends the start and not a request."""
    load_catalogue()
    load_observed_properties()


def _both(text: Bilingual) -> Name:
    return {"vi": text.vi, "en": text.en}


@lru_cache(maxsize=1024)
def property_name(property_id: str) -> Name:
    """The name of an observed property; its id where this release does not know it (the registry may be newer)."""
    known = load_observed_properties().get(property_id)
    return _both(known.name) if known else {"vi": property_id, "en": property_id}


@lru_cache(maxsize=8192)
def sent_unit(profile_id: str, name: str, property_id: str, unit: str) -> str:
    """UCUM code of the unit a datastream is sent in; the canonical one where the catalogue does not know it."""
    profile = load_catalogue().get(profile_id)
    declared = profile.datastream(name) if profile else None
    known = declared is not None and (declared.property_id, declared.unit) == (property_id, unit)
    return declared.sent_unit if declared is not None and known else unit


@lru_cache(maxsize=8192)
def datastream_label(profile_id: str, name: str, property_id: str) -> Name:
    """The label of a datastream: its profile's word for it, else the name of what it observes."""
    profile = load_catalogue().get(profile_id)
    declared = profile.datastream(name) if profile else None
    if declared is not None and declared.property_id == property_id:
        return _both(declared.label)
    return property_name(property_id)


def flags_shape(quality: int) -> list[Flag]:
    """A stored quality in words, lowest bit first."""
    return [{"id": cast("FlagId", flag_id(flag)), "name": _both(FLAG_NAMES[flag])} for flag in flags_of(quality)]
