"""Builds the lighting of a town: cabinets, the lamps they feed, the meters before them, luminaires of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulators.gazetteer import Place, Street
from simulators.instruments import FeederMeter, LampController, LightingCabinet, MotionLuminaire
from simulators.signals import FAR_S
from simulators.signals.lighting import PHASES, SCHEDULES, Calendar, Circuit, Lamp, Loads, Supply
from simulators.signals.noise import draw, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.fleet import SimulatedDevice
    from simulators.siting import TownBuilder

_ROW: Final = 40
"""Cabinets of one street stand in rows of so many, a street's width apart."""
_STEP_DEG: Final = 0.0004
_NO_LOAD: Final = Loads(0.0, 0.0, 0.0, 0.0)
LUMINAIRE_W: Final = 40.0


@dataclass(frozen=True)
class _Fitted:
    """A lamp as it was fitted on a circuit."""

    device_id: str
    serial: str
    lamp: Lamp


class CircuitBuilder:
    """The lighting of one town."""

    def __init__(self, town: TownBuilder) -> None:
        """Take the town whose places are lit."""
        self._town = town
        self._seed = town.scenario.seed
        latitude, longitude = town.places.centre
        self._calendar = Calendar(latitude, longitude, town.happenings.feasts)

    def build(self, counts: Mapping[str, int]) -> Iterator[SimulatedDevice]:
        """Cabinets with their lamps, then feeder meters, then motion luminaires."""
        cabinets, lamps = counts.get("lighting-cabinet", 0), counts.get("lamp-controller", 0)
        streets = self._town.places.streets
        fed_by_cabinet = [lamps // cabinets + (1 if index < lamps % cabinets else 0) for index in range(cabinets)]
        names = [self._fittings(streets, fed_by_cabinet, index) for index in range(cabinets)]
        failing = self._failing([name for fitted in names for name in fitted])
        circuits: list[tuple[Street, int, Circuit]] = []
        for index, fitted in enumerate(names):
            street, number = streets[index % len(streets)], index // len(streets) + 1
            circuit, lamps_of_it = self._circuit(street, number, index, fitted, failing)
            circuits.append((street, number, circuit))
            yield from self._cabinet(street, number, circuit, lamps_of_it)
        for index in range(counts.get("feeder-meter", 0)):
            yield self._feeder(*circuits[index % len(circuits)], index // len(circuits) + 1)
        yield from self._luminaires(counts.get("motion-luminaire", 0))

    def _fittings(self, streets: Sequence[Street], fed_by_cabinet: list[int], index: int) -> list[str]:
        """Ids of the lamps of a cabinet: a street's lamps are numbered through, over its cabinets."""
        street = streets[index % len(streets)]
        before = sum(fed_by_cabinet[index % len(streets) : index : len(streets)])
        return [self._id("lamp", street, before + position + 1) for position in range(fed_by_cabinet[index])]

    def _id(self, kind: str, street: Street, number: int) -> str:
        return f"{self._town.places.prefix}-{kind}-{street.id}-{number:02d}"

    def _failing(self, lamp_ids: list[str]) -> dict[str, float]:
        """Lamps that fail, and from when, Unix seconds."""
        failing: dict[str, float] = {}
        order = sorted(lamp_ids, key=lambda name: draw(key_of(self._seed, name, "fails")))
        for event in self._town.scenario.events.failed_lamps:
            if event.town == self._town.town_id:
                left = [name for name in order if name not in failing]
                failing |= dict.fromkeys(left[: event.lamps], event.midnight_s(self._town.today))
        return failing

    def _circuit(
        self, street: Street, number: int, index: int, names: list[str], failing: dict[str, float]
    ) -> tuple[Circuit, list[_Fitted]]:
        cabinet_id = self._id("cabinet", street, number)
        # Lamps of one circuit that fail do so together, from the earliest day on.
        failed_from_s = min((failing[name] for name in names if name in failing), default=FAR_S)
        lamps = [
            _Fitted(
                name,
                name.rpartition("-")[2],
                Lamp(
                    key=self._town.key(name),
                    full_w=round(street.lamp_w * (0.97 + 0.06 * draw(key_of(self._seed, name, "gain"))), 2),
                    phase=float(position % 3 + 1),
                    position=float(position),
                    failed=float(name in failing),
                ),
            )
            for position, name in enumerate(names)
        ]
        l1, l2, l3 = (_loads([fitted.lamp for fitted in lamps if fitted.lamp.phase == phase]) for phase in PHASES)
        circuit = Circuit(
            key=self._town.key(cabinet_id),
            schedule=float(SCHEDULES.index(street.kind)),
            calendar=self._calendar,
            sky=self._town.sky(street.line[0]),
            supply=self._supply(street.ward, index, failed_from_s),
            l1=l1,
            l2=l2,
            l3=l3,
        )
        return circuit, lamps

    def _supply(self, ward: str, index: int | None, failed_from_s: float = FAR_S) -> Supply:
        town = self._town
        cuts = town.power_cuts(ward)
        cut_from_s, cut_until_s = (cuts[0].from_s, cuts[0].until_s) if cuts else (FAR_S, FAR_S)
        dark_from_s = dark_until_s = FAR_S
        for event in town.scenario.events.dark_cabinets:
            # Where the whole ward is without power a dark cabinet makes no difference.
            if event.town == town.town_id and index is not None and index < event.cabinets and not cuts:
                dark_from_s, dark_until_s = event.span(town.today).from_s, event.span(town.today).until_s
        return Supply(failed_from_s, dark_from_s, dark_until_s, cut_from_s, cut_until_s)

    def _place(self, street: Street, number: int, kind: str, name: str, share: float | None, suffix: str) -> Place:
        # Cabinets and lamps of later rounds stand further along, never on top of the first ones.
        row, along = divmod(number - 1, _ROW)
        latitude, longitude = street.line[0] if share is None else street.point_at(share)
        return Place(
            id=f"{street.id}-{suffix}",
            ward=street.ward,
            name=name,
            kind=kind,
            at=(latitude + _STEP_DEG * along, longitude + _STEP_DEG * row),
        )

    def _corner(self, street: Street, number: int) -> Place:
        return self._place(street, number, "cabinet", f"Tủ {street.name} {number}", None, f"{number:02d}")

    def _cabinet(
        self, street: Street, number: int, circuit: Circuit, lamps: list[_Fitted]
    ) -> Iterator[SimulatedDevice]:
        town = self._town
        cabinet_id = self._id("cabinet", street, number)
        cabinet = LightingCabinet(town.key(cabinet_id), circuit.sky, circuit)
        yield town.device(
            cabinet_id,
            f"Tủ chiếu sáng {street.name} {number}",
            self._corner(street, number),
            "lighting-cabinet",
            cabinet,
            mains=True,
        )
        is_gateway = draw(key_of(self._seed, cabinet_id, "gateway")) < town.scenario.cabinets_as_gateways
        for position, fitted in enumerate(lamps):
            share = (position + 0.5) / len(lamps)
            name = f"Cột đèn {street.name} {fitted.serial}"
            pole = self._place(street, number, "pole", name, share, fitted.serial)
            controller = LampController(fitted.lamp.key, town.sky(pole.at), circuit, fitted.lamp)
            yield town.device(
                fitted.device_id,
                f"Đèn {street.name} {fitted.serial}",
                pole,
                "lamp-controller",
                controller,
                gateway_id=cabinet_id if is_gateway else None,
                fed_by_id=cabinet_id,
                mains=True,
            )

    def _feeder(self, street: Street, number: int, circuit: Circuit, meter_number: int) -> SimulatedDevice:
        device_id = f"{self._id('feeder', street, number)}-{meter_number}"
        meter = FeederMeter(self._town.key(device_id), circuit.sky, circuit)
        corner = self._corner(street, number)
        return self._town.device(
            device_id, f"Công tơ {street.name} {number}", corner, "feeder-meter", meter, mains=True
        )

    def _luminaires(self, count: int) -> Iterator[SimulatedDevice]:
        """Lamps along the quieter streets, each on a circuit of its own."""
        town = self._town
        for place, number in town.roadside((), count):
            device_id = town.device_id("motion", place, number)
            key = town.key(device_id)
            lamp = Lamp(key, LUMINAIRE_W, 1.0, 0.0, 0.0)
            sky = town.sky(place.at)
            loads = _loads([lamp])
            supply = self._supply(place.ward, None)
            circuit = Circuit(
                key, float(SCHEDULES.index("motion")), self._calendar, sky, supply, loads, _NO_LOAD, _NO_LOAD
            )
            luminaire = MotionLuminaire(key, sky, circuit, lamp)
            name = f"Đèn cảm biến {place.name}"
            yield town.device(device_id, name, place, "motion-luminaire", luminaire, mains=True)


def _loads(lamps: Sequence[Lamp]) -> Loads:
    failed = [float(lamp.full_w) for lamp in lamps if lamp.failed]
    return Loads(
        full_w=sum((float(lamp.full_w) for lamp in lamps), 0.0),
        lamps=float(len(lamps)),
        failed_w=sum(failed, 0.0),
        failed=float(len(failed)),
    )
