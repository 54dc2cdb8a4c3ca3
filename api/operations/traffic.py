"""Traffic of a town now: flow, speed and service of each counter against free flow and the past weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.operations import observed
from api.operations.board import Figures
from api.operations.columns import number
from api.operations.figures import FigureKind, coverage_of, figure, index_line, level, newest_of
from api.operations.history import read_history, read_recent, read_slots
from api.operations.traffic_counts import (
    COUNT,
    classes_of,
    compare_hours,
    counted,
    coverage,
    hourly,
    observed_s,
    units_detail,
    zero_states,
)
from api.operations.traffic_road import road_indices
from api.operations.traffic_speed import FREE_FLOW_DAYS, SPEED, free_flow_of, suspect
from api.windows import LOCAL_ZONE
from devices.figures import MISSING_TEXTS, UNKNOWN, Missing
from devices.models import Bilingual
from devices.traffic import calendars, comparison, flow, incidents, pcu, service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from api.database import Database
    from api.operations.fleet import Fleet
    from api.operations.history import History, Recent, SlotWindows
    from api.operations.present import Present
    from api.schemas import Figure, Level

QUARTER_S: Final = 900

SERVICE: Final = FigureKind(
    "level-of-service",
    Bilingual("Mức phục vụ", "Level of service"),
    "%",
    "index",
    service.SHARE_FORMULA,
    "space-mean speed of the newest whole quarter hour in percent of the site's free-flow speed; classes A to F",
)
FLOW: Final = FigureKind(
    "vehicle-flow",
    Bilingual("Lưu lượng xe", "Traffic flow"),
    "/h",
    "index",
    flow.FLOW_FORMULA,
    "vehicles of all classes in the newest whole quarter hour, as an hourly rate",
)
PCU: Final = FigureKind(
    "pcu-flow",
    Bilingual("Lưu lượng xe con quy đổi", "Flow in passenger car units"),
    "/h",
    "index",
    pcu.FORMULA,
    "counts by class times their coefficients, of the set that `detail` names, as an hourly rate",
)
TRAVEL_TIME: Final = FigureKind(
    "travel-time-index",
    Bilingual("Chỉ số thời gian đi lại", "Travel time index"),
    "1",
    "index",
    service.TRAVEL_TIME_FORMULA,
    "travel time of the newest whole quarter hour by that of free flow",
)
MEAN_SPEED: Final = FigureKind(
    "mean-speed",
    Bilingual("Tốc độ trung bình", "Mean speed"),
    "km/h",
    "window-statistics",
    flow.SPEED_FORMULA,
    "space-mean (harmonic, weighed by count) of the newest whole quarter hour",
)
USUAL: Final = FigureKind(
    "same-hour-difference",
    Bilingual("So với cùng giờ các tuần trước", "Against the same hour of past weeks"),
    "%",
    "index",
    comparison.DIFFERENCE_FORMULA,
    "vehicles of the newest whole hour against the mean of the same weekday and hour of the past four weeks, as rates"
    " of the time observed, of hours of which three quarters were",
)
SUSPICION: Final = FigureKind(
    "speed-drop",
    Bilingual("Nghi ngờ ùn tắc, sự cố", "Suspicion of a queue or incident"),
    "%",
    "index",
    incidents.FORMULA,
    "how far the newest reports' speed fell below what was usual just before",
)
CONGESTED: Final = FigureKind(
    "congested-sites",
    Bilingual("Điểm ùn tắc", "Congested sites"),
    "1",
    "index",
    service.SHARE_FORMULA,
    "sites whose speed is at most 60 % of free flow",
)
_LEVEL_SEVERITY: Final = (0, 0, 0, 1, 2, 3)
_CONGESTED_STATES: Final = (2, 3)
_KIND_SEVERITY: Final = (0, 2, 3)
_FLOW_SEVERITY: Final = (0, 0, 1, 2, 0)
RANKED_BY: Final = tuple(kind.figure_id for kind in (SERVICE, TRAVEL_TIME, FLOW, PCU, MEAN_SPEED, USUAL, SUSPICION))


@dataclass(frozen=True, slots=True)
class Inputs:
    """What of the past is needed."""

    quarters: History  # the newest whole quarter hour
    hours: tuple[History, ...]  # the newest whole hour, then the same hour of past weeks, newest first
    recent: dict[str, Recent]  # profile -> newest reports, for what falls suddenly
    free_flow: SlotWindows  # hours of the last days
    pcu_set: str = pcu.DEFAULT_SET


async def read_inputs(database: Database, fleet: Fleet, now_us: int) -> Inputs:
    """Read windows of now and of the past weeks."""
    now_s = now_us // 1_000_000
    keys = fleet.keys_of(fleet.observing(COUNT))
    quarter_s = now_s // QUARTER_S * QUARTER_S - QUARTER_S
    hour = datetime.fromtimestamp(now_s // 3600 * 3600 - 3600, UTC)
    hours = [
        await read_history(
            database, fleet, keys, first_s=int(start.timestamp()), steps=1, step_s=3600, tail=start == hour
        )
        for start in (hour, *comparison.same_hours(hour))
    ]
    rule = service.service_table(_day(now_us)).drop
    span = rule.periods + rule.before_periods + 1
    recent = {}
    for stream in fleet.observing(SPEED):
        recent[stream.profile] = await read_recent(
            database, fleet, fleet.keys[stream.at].tolist(), first_s=now_s - span * stream.interval_s, last_s=now_s
        )
    end = datetime.fromtimestamp(now_s // 3600 * 3600, UTC)
    return Inputs(
        await read_history(
            database,
            fleet,
            keys,
            first_s=quarter_s,
            steps=1,
            step_s=QUARTER_S,
            wanted=("last", "weight", "weight_by_value"),
            tail=True,
        ),
        tuple(hours),
        recent,
        await read_slots(
            database,
            fleet,
            fleet.observing(SPEED),
            length_s=3600,
            first=end - timedelta(days=FREE_FLOW_DAYS),
            last=end,
        ),
    )


def _day(now_us: int) -> date:
    return datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(LOCAL_ZONE).date()


def traffic_figures(fleet: Fleet, present: Present, inputs: Inputs) -> Figures:
    """Every figure of the domain; pure.

    Args:
        fleet: the devices.
        present: what they said last.
        inputs: of `read_inputs`.
    """
    figures = Figures()
    flows, shares, indices = [], [], []
    for profile in sorted({stream.profile for stream in fleet.observing(COUNT)}):
        lines = _profile(figures, fleet, profile, present.now_us, inputs)
        flows += lines[FLOW.figure_id]
        shares += lines[SERVICE.figure_id]
        indices += lines[TRAVEL_TIME.figure_id]
    _town(figures, present.now_us, flows, shares, indices)
    observed.add_traffic(figures, fleet, present)
    return figures


def _town(figures: Figures, now_us: int, flows: list[Figure], shares: list[Figure], indices: list[Figure]) -> None:
    known = [line["value"] for line in flows if line["value"] is not None]
    note = {"counters": len(flows), "counted": len(known)}
    figures.of_town.append(figure(FLOW, sum(known) if known else None, detail=note, **_common(flows, now_us)))
    judged = [line for line in shares if line["value"] is not None]
    congested = [line for line in judged if (line["detail"] or {}).get("state_number") in _CONGESTED_STATES]
    figures.of_town.append(
        figure(
            CONGESTED,
            float(len(congested)) if judged else None,
            reason="too-few-readings",
            level=level("congested", Bilingual("Có ùn tắc", "Congestion"), 2)
            if congested
            else level("free", Bilingual("Không ùn tắc", "No congestion"), 0),
            detail={"sites": len(shares), "judged": len(judged)},
            **_common(shares, now_us),
        )
    )
    times = [line["value"] for line in indices if line["value"] is not None]
    figures.of_town.append(
        figure(
            TRAVEL_TIME,
            float(np.mean(times)) if times else None,
            reason="too-few-readings",
            detail={"counters": len(indices), "judged": len(times), "mean": "each counter weighs the same"},
            **_common(indices, now_us),
        )
    )


def _common(lines: Sequence[Figure], now_us: int) -> dict[str, Any]:
    """What a figure of the town bears of those it is made of."""
    return {
        "now_us": now_us,
        "time_us": newest_of(lines),
        "coverage": coverage_of(lines),
        "flagged": sum(line["flagged"] for line in lines),
    }


def _profile(figures: Figures, fleet: Fleet, profile: str, now_us: int, inputs: Inputs) -> dict[str, list[Figure]]:
    counts = [stream for stream in fleet.observing(COUNT) if stream.profile == profile]
    speed = next((stream for stream in fleet.observing(SPEED) if stream.profile == profile), None)
    at = counts[0].at
    counts = [stream for stream in counts if np.array_equal(stream.at, at)]
    classes = classes_of(profile, counts)
    quarter, rows = inputs.quarters, inputs.quarters.rows(counts[0])
    number_of = np.stack([counted(quarter, stream)[:, 0] for stream in counts])  # (classes, devices)
    by_class = hourly(quarter, counts)[..., 0]
    flows = flow.whole_flow(by_class)
    coefficients = pcu.pcu_set(_day(now_us), inputs.pcu_set)
    units = pcu.pcu_flow(by_class, classes, 3600.0, coefficients)
    table = service.service_table(_day(now_us))
    speeds, free, free_found = np.full(len(at), np.nan), np.full(len(at), np.nan), None
    if speed is not None and np.array_equal(speed.at, at):
        weight, by_value = (
            np.nan_to_num(quarter.added[name][rows, 0, speed.slot]) for name in ("weight", "weight_by_value")
        )
        plain = quarter.mean(speed)[:, 0]
        # What is not folded yet has no weights: the plain mean stands for it.
        speeds = np.where(by_value > 0, weight / np.where(by_value > 0, by_value, 1.0), plain)
        free, free_found = free_flow_of(fleet, inputs.free_flow, speed, now_us)
    served = service.level_of_service(speeds, free, table)
    travel = service.travel_time_index(speeds, free)
    road = road_indices(
        fleet,
        profile,
        at,
        quarter,
        flows=flows,
        speed_km_h=speeds,
    )
    compared = compare_hours(inputs.hours, counts)
    suspected = suspect(inputs.recent, speed, counts, free, table.drop)
    usual = compared.usual * observed_s(quarter, counts)[..., 0] / 3600.0
    zero = zero_states(fleet, at, classes, number_of, usual, quarter.first_s)
    share = coverage(quarter, counts)[:, 0]
    nobody = (~np.isnan(number_of)).sum(axis=0) == 0
    made: dict[str, list[Figure]] = {FLOW.figure_id: [], SERVICE.figure_id: [], TRAVEL_TIME.figure_id: []}
    for row, device in enumerate(at.tolist()):
        place = fleet.devices[device].site
        common: dict[str, Any] = {
            "now_us": now_us,
            "time_us": (quarter.first_s + QUARTER_S) * 1_000_000 if not nobody[row] else None,
            "coverage": float(share[row]),
            "flagged": int(quarter.flagged[rows[row], 0].sum()),
        }
        lines = {
            FLOW.figure_id: index_line(
                FLOW,
                flows,
                row,
                common,
                level=_zero_level(int(zero[row])),
                detail={
                    "by_class": {name: number(value) for name, value in zip(classes, by_class[:, row], strict=True)}
                },
            ),
            PCU.figure_id: index_line(
                PCU,
                units.flow,
                row,
                common,
                detail=units_detail(units, row, coefficients),
            ),
        }
        if speed is not None:
            known = served.level[row] != UNKNOWN
            state = int(served.state[row])
            lines[MEAN_SPEED.figure_id] = figure(
                MEAN_SPEED,
                float(speeds[row]),
                reason="no-vehicles" if flows.value[row] == 0 else "no-reading",
                reason_text=MISSING_TEXTS[Missing.NO_VEHICLES if flows.value[row] == 0 else Missing.NO_READING],
                **common,
            )
            lines[SERVICE.figure_id] = index_line(
                SERVICE,
                served.share,
                row,
                common,
                text=service.STATE_NAMES[state] if known else None,
                level=level(
                    f"los-{service.LEVELS[served.level[row]].lower()}",
                    Bilingual(f"Mức {service.LEVELS[served.level[row]]}", f"Level {service.LEVELS[served.level[row]]}"),
                    _LEVEL_SEVERITY[served.level[row]],
                )
                if known
                else None,
                detail={
                    "state": service.STATES[state] if known else None,
                    "state_number": state if known else None,
                    "speed_km_h": number(speeds[row]),
                    "free_flow_km_h": number(free[row]),
                    "free_flow_formula": free_found.formula if free_found else None,
                },
            )
            lines[TRAVEL_TIME.figure_id] = index_line(TRAVEL_TIME, travel, row, common)
        weeks = compared.of_all
        lines[USUAL.figure_id] = index_line(
            USUAL,
            weeks.difference,
            row,
            common | {"time_us": compared.end_us, "coverage": float(compared.coverage[row])},
            detail={"usual_per_h": number(weeks.usual.value[row]), "weeks": int(weeks.weeks[row])},
        )
        if suspected is not None:
            kind = int(suspected.kind[row])
            lines[SUSPICION.figure_id] = index_line(
                SUSPICION,
                suspected.drop,
                row,
                common,
                level=level(incidents.KINDS[kind], incidents.KIND_NAMES[kind], _KIND_SEVERITY[kind])
                if kind != UNKNOWN
                else None,
            )
        lines |= {kind.figure_id: index_line(kind, indices, row, common) for kind, indices in road}
        figures.of_site[place] += lines.values()
        for name, kept in made.items():
            if name in lines:
                kept.append(lines[name])
    return made


def _zero_level(state: int) -> Level | None:
    if state == UNKNOWN:
        return None
    return level(calendars.FLOW_STATES[state], calendars.FLOW_STATE_NAMES[state], _FLOW_SEVERITY[state])
