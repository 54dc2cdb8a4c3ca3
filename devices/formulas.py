"""How figures are obtained: every formula by its id, in words an answer can carry.

The number behind the slash grows when a formula gives other values for the same input; ids that were published keep
their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Formula:
    """One way to obtain a figure."""

    formula_id: str
    name: Bilingual
    unit: str  # UCUM
    expression: str
    source: str
    code: str  # module:function


def _formulas(*rows: tuple[str, str, str, str, str, str, str]) -> Mapping[str, Formula]:
    return MappingProxyType(
        {row[0]: Formula(row[0], Bilingual(row[1], row[2]), row[3], row[4], row[5], row[6]) for row in rows}
    )


_DEFINITION: Final = "definition"
_POLICY: Final = "project policy"
_HCM: Final = "HCM 2010, unverified; limits in devices/traffic/service.yaml"

TRAFFIC: Final = _formulas(
    (
        "traffic.vehicle-flow/1", "Lưu lượng xe", "Vehicle flow", "/h",
        "N 3600 / T", _DEFINITION, "devices.traffic.flow:vehicle_flow",
    ),
    (
        "traffic.pcu-flow/1", "Lưu lượng quy đổi", "Flow in passenger car units", "/h",
        "sum(n_k pcu_k) 3600 / T", "TCVN 4054:2005, Table 2; devices/traffic/pcu.yaml", "devices.traffic.pcu:pcu_flow",
    ),
    (
        "traffic.space-mean-speed/1", "Tốc độ trung bình không gian", "Space-mean speed", "km/h",
        "sum(n) / sum(n / v)", _DEFINITION, "devices.traffic.flow:space_mean_speed",
    ),
    (
        "traffic.occupancy/1", "Độ chiếm dụng", "Occupancy", "%",
        "sum(o T) / sum(T)", _DEFINITION, "devices.traffic.flow:occupancy",
    ),
    ("traffic.headway/1", "Giãn cách thời gian", "Headway", "s", "T / N", _DEFINITION, "devices.traffic.flow:headway"),
    ("traffic.density/1", "Mật độ", "Density", "/km", "q / v", _DEFINITION, "devices.traffic.flow:density"),
    (
        "traffic.free-flow-speed/1", "Tốc độ dòng tự do", "Free-flow speed", "km/h",
        "85th percentile of the speeds of windows with enough vehicles", _POLICY,
        "devices.traffic.service:free_flow_speed",
    ),
    (
        "traffic.level-of-service/1", "Mức phục vụ", "Level of service", "%",
        "v / v_free; A > 85, B > 67, C > 50, D > 40, E > 30, else F", _HCM, "devices.traffic.service:level_of_service",
    ),
    (
        "traffic.travel-time-index/1", "Chỉ số thời gian đi lại", "Travel time index", "1",
        "v_free / v", _DEFINITION, "devices.traffic.service:travel_time_index",
    ),
    (
        "traffic.planning-time-index/1", "Chỉ số thời gian dự phòng", "Planning time index", "1",
        "P95(1 / v) v_free", "FHWA travel time reliability, unverified", "devices.traffic.service:planning_time_index",
    ),
    (
        "traffic.buffer-index/1", "Chỉ số đệm", "Buffer index", "1",
        "(P95 - mean) / mean of 1 / v", "FHWA travel time reliability, unverified",
        "devices.traffic.service:buffer_index",
    ),
    (
        "traffic.usual/1", "Mức thường lệ", "Usual", "1",
        "mean of the same weekday and hour of the past four weeks", _POLICY, "devices.traffic.comparison:compare",
    ),
    (
        "traffic.same-hour-difference/1", "So với thường lệ", "Against the usual", "%",
        "(now - usual) / usual", _POLICY, "devices.traffic.comparison:compare",
    ),
    (
        "traffic.expected-zero/1", "Trạng thái dòng xe theo giờ cấm", "Flow against bans", "1",
        "count, ban and usual count", "devices/traffic/calendars.yaml", "devices.traffic.calendars:judge_zero",
    ),
    (
        "traffic.speed-drop/1", "Nghi ngờ ùn xe, sự cố", "Suspected queue or incident", "%",
        "(median before - newest) / median before, in all newest periods", _POLICY,
        "devices.traffic.incidents:suspicion",
    ),
)  # fmt: skip

LIGHTING: Final = _formulas(
    (
        "lighting.solar-elevation/1", "Độ cao mặt trời", "Solar elevation", "deg",
        "NOAA solar calculator", "Meeus, Astronomical Algorithms; as astral", "devices.lighting.sun:elevation_deg",
    ),
    (
        "lighting.night/1", "Đêm", "Night", "h",
        "sunset of the local day to the next sunrise", "astral", "devices.lighting.sun:night_of",
    ),
    (
        "lighting.lamp-state/1", "Trạng thái đèn", "Lamp state", "1",
        "as commanded, as reported, as its power shows", _POLICY, "devices.lighting.lamps:lamp_states",
    ),
    (
        "lighting.rated-power/1", "Công suất định mức", "Rated power", "W",
        "median of (highest power / its level) over days in full, days below a quarter of the best left out", _POLICY,
        "devices.lighting.lamps:rated_power",
    ),
    (
        "lighting.lamp-faults/1", "Lỗi đèn", "Lamp faults", "1",
        "rules of devices/lighting/rules.yaml", "project policy after TALQ and DALI",
        "devices.lighting.faults:lamp_faults",
    ),
    (
        "lighting.silence/1", "Mất liên lạc", "Silence", "1",
        "no report for three reporting intervals", "TALQ communicationFailure; devices/lighting/rules.yaml",
        "devices.lighting.faults:is_silent",
    ),
    (
        "lighting.cabinet-faults/1", "Lỗi tủ", "Cabinet faults", "1",
        "rules of devices/lighting/rules.yaml; lamps that are dark or silent with their cabinet are suppressed",
        "project policy after TALQ",
        "devices.lighting.cabinets:cabinet_faults",
    ),
    (
        "lighting.burn-hours/1", "Giờ sáng", "Burn hours", "h",
        "time with level > 0, a value holding until the next report", _DEFINITION,
        "devices.lighting.energy:burn_times",
    ),
    (
        "lighting.lamp-energy/1", "Điện năng các đèn", "Energy of the lamps", "kW.h",
        "sum of the lamps' increases; a few silent ones count as the mean of the others", _POLICY,
        "devices.lighting.energy:lamp_energy",
    ),
    (
        "lighting.energy-gap/1", "Chênh lệch điện năng", "Energy gap", "%",
        "(meter - lamps) / meter", _POLICY, "devices.lighting.energy:energy_gap",
    ),
    (
        "lighting.dimming-saving/1", "Tiết kiệm do giảm sáng", "Dimming saving", "%",
        "1 - E / (P_rated h), the level known in 90 % of the span", _DEFINITION,
        "devices.lighting.energy:dimming_saving",
    ),
    (
        "lighting.availability/1", "Độ sẵn sàng", "Availability", "%",
        "lamp-hours lit while commanded / lamp-hours commanded, of hours in which both are known", _DEFINITION,
        "devices.lighting.energy:availability",
    ),
)  # fmt: skip

ENVIRONMENT: Final = _formulas(
    (
        "environment.vn-aqi-hour/1", "VN_AQI giờ", "VN_AQI of the hour", "1",
        "max of the pollutants' indices; particles by NowCast of 12 h", "QĐ 1459/QĐ-TCMT, 2019-11-12",
        "devices.environment.vn_aqi:hourly",
    ),
    (
        "environment.vn-aqi-day/1", "VN_AQI ngày", "VN_AQI of the day", "1",
        "max of the pollutants' indices of the day", "QĐ 1459/QĐ-TCMT, 2019-11-12",
        "devices.environment.vn_aqi:daily",
    ),
    (
        "environment.limit-share/1", "So với giới hạn", "Share of the limit", "%",
        "mean of the period / limit of the period and date", "devices/environment/limits.yaml",
        "devices.environment.limits:share_of_limit",
    ),
    (
        "environment.year-mean/1", "Trung bình năm", "Mean of the year", "ug/m3",
        "mean of the means of days, of the 365 days that end with the day",
        "QCVN 05:2023/BTNMT; devices/environment/averaging.yaml",
        "devices.environment.limits:year_mean",
    ),
    (
        "environment.laeq/1", "LAeq", "LAeq", "dB[SPL]",
        "10 log10(mean(10^(L / 10)))", _DEFINITION, "devices.environment.noise:laeq",
    ),
    (
        "environment.level-exceeded/1", "Mức ồn phân vị", "Level exceeded", "dB[SPL]",
        "L_N: exceeded in N % of the time", _DEFINITION, "devices.environment.noise:level_exceeded",
    ),
    (
        "environment.flood-alarm/1", "Cấp báo động lũ", "Flood alarm level", "1",
        "level against the alarm levels of the station, with hysteresis",
        "QĐ 05/2020/QĐ-TTg; devices/environment/flood_stations.yaml", "devices.environment.flood:alarm_levels",
    ),
    (
        "environment.rise/1", "Tốc độ dâng", "Rate of rise", "m/h",
        "(level now - level before) / hours between", _DEFINITION, "devices.environment.flood:rise_m_per_h",
    ),
    (
        "environment.street-depth/1", "Ngập đường", "Water on the street", "m",
        "newest depth, classed by street_depth", "own; devices/environment/sites.yaml",
        "devices.environment.sites:street_level",
    ),
    (
        "environment.rain-sum/1", "Tổng lượng mưa", "Rain sum", "mm",
        "sum over 1, 3, 6, 12, 24 h", _DEFINITION, "devices.environment.rain:rain_sums",
    ),
    (
        "environment.rain-class/1", "Cấp mưa", "Rain class", "mm",
        "height over 12 or 24 h", "devices/environment/rain_classes.yaml", "devices.environment.rain:rain_class",
    ),
    (
        "environment.wind-direction-mean/1", "Hướng gió trung bình", "Mean wind direction", "deg",
        "atan2 of the sums of sines and cosines", _DEFINITION, "devices.environment.wind:mean_direction",
    ),
    (
        "environment.wind-resultant/1", "Độ ổn định hướng gió", "Steadiness of the wind", "1",
        "length of the sum of unit vectors / their number", _DEFINITION,
        "devices.environment.wind:resultant_length",
    ),
    (
        "environment.gust/1", "Gió giật", "Gust", "m/s",
        "max of the gusts", _DEFINITION, "devices.environment.wind:highest_gust",
    ),
)  # fmt: skip

FORMULAS: Final[Mapping[str, Formula]] = MappingProxyType({**TRAFFIC, **LIGHTING, **ENVIRONMENT})
"""Every formula by its id."""
