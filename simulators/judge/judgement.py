"""Judges a run: reads journals, database and API, and holds them against each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from simulators.judge.accounts import check_latest, check_ledger, check_windows
from simulators.judge.claims import claims_of
from simulators.judge.http import Api, check_device
from simulators.judge.indices import Fleet, check_air, check_lighting, received_until
from simulators.judge.outcomes import CLOCKS_US, settle
from simulators.judge.payloads import Bounds
from simulators.judge.quiet import wait_until_quiet
from simulators.judge.refusals import Standing, settle_refusals
from simulators.judge.report import Report
from simulators.judge.store import Store, time_of
from simulators.judge.windows import start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulators.journal import Run
    from simulators.judge.claims import Claim, Claims
    from simulators.judge.payloads import Registered
    from simulators.judge.store import Span

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_EXPECTED_FATES: Final = {"stored": {"stored", "duplicate"}, "duplicate": {"duplicate"}, "null": {"null"}}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to judge."""

    database_url: str
    api_url: str | None = None
    api_token: str | None = None
    api_datastreams: int = 60  # of how many the API is asked history and statistics
    wait_s: float = 60.0
    cached_s: float = 62.0  # how old an answer of the API may be
    bounds: Bounds = field(default_factory=Bounds)


def judge(runs: Sequence[Run], plan: Plan) -> Report:
    """Judge runs that played to the same platform, once it is quiet.

    Raises:
        psycopg.Error: the database cannot be reached or read.
        httpx.HTTPError: the API does not answer.
    """
    messages = sorted((message for run in runs for message in run.messages), key=attrgetter("sent_us"))
    complete = all(run.complete for run in runs)
    report = Report(len(messages), sum(message.acknowledged_us is not None for message in messages), complete)
    began_us = min(run.began_us for run in runs) - CLOCKS_US
    began = time_of(began_us / 1e6)
    hour = time_of(began_us // 1_000_000 // _HOUR_S * _HOUR_S)
    store = Store(plan.database_url)
    api = Api(plan.api_url, plan.api_token) if plan.api_url else None
    try:
        if restless := wait_until_quiet(store, hour, plan.wait_s):
            report.findings.add("restless", restless)
        with store:
            registry = store.devices()
            claims = claims_of(messages, registry, plan.bounds)
            span = _span(claims, began_us)
            devices = [registry[name] for name in sorted(claims.by_device)]
            received_us = _judge_devices(_Bench(store, api, plan, report, span, began_us), devices, claims)
            if api:
                fleet = Fleet(
                    {device.device_id: device for device in devices}, store.observations, received_us, plan.cached_s
                )
                report.compared["VN_AQI"] = check_air(api, fleet, span, report.findings)
                report.compared["lamps and cabinets"] = check_lighting(api, fleet, report.findings)
            if complete:
                for stray in store.strays([device.device_id for device in devices], (span[0], span[1] + _DAY_S), began):
                    where = f"{stray['device_id']}:{stray['name']} at {stray['time_us']} us"
                    report.findings.add("never-sent", f"{where} is {stray['value']:g}")
            standing = Standing.of(store.refusals(began, {message.topic for message in messages}))
            report.refused_again = settle_refusals(claims.refused, standing, report.findings, complete=complete)
            report.compared["ledger entries"] = check_ledger(*store.account(hour), report.findings)
    finally:
        store.close()
        if api:
            api.close()
    _finish(report, claims, with_api=api is not None)
    return report


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every step of a judgement needs."""

    store: Store
    api: Api | None
    plan: Plan
    report: Report
    span: Span
    began_us: int


def _judge_devices(bench: _Bench, devices: Sequence[Registered], claims: Claims) -> int:
    """All that is judged device by device; answers when the newest observation was received, Unix microseconds."""
    report, span = bench.report, bench.span
    names = [device.device_id for device in devices]
    latest = bench.store.latest(names)
    folded = bench.store.folded(names)
    asked = _sample(devices, bench.plan.api_datastreams)
    read_until_s = span[1] + _DAY_S
    compared: Counter[str] = Counter()
    received_us = 0
    for device in devices:
        rows = bench.store.observations(device.device_id, (span[0], read_until_s))
        claims.refused += settle(
            claims.by_device[device.device_id],
            rows,
            report.findings,
            bounds=bench.plan.bounds,
            began_us=bench.began_us if report.complete else None,
            device=device.device_id,
        )
        compared["observations"] += len(rows)
        received_us = max(received_us, received_until(rows))
        compared["latest values"] += check_latest(
            device.device_id, rows, latest, report.findings, read_until_s * 1_000_000
        )
        at_rest = bench.store.windows(device.device_id, span)
        compared["windows at rest"] += check_windows(
            device, rows, at_rest, folded.get(device.device_id), span, report.findings
        )
        if bench.api and device.device_id in asked:
            compared["answers of the API"] += check_device(
                bench.api, device, asked[device.device_id], rows, span, report.findings
            )
    report.compared |= compared
    return received_us


def _span(claims: Claims, began_us: int) -> Span:
    """Whole local days around all times that may be stored, and a day before for values that cover a period."""
    times = [
        claim.time_us if claim.time_us is not None else claim.message.sent_us
        for device in claims.by_device.values()
        for claim in device
    ]
    first_s = min(times, default=began_us) // 1_000_000
    last_s = max(times, default=began_us) // 1_000_000
    return start_of(first_s, _DAY_S) - _DAY_S, start_of(last_s, _DAY_S) + 2 * _DAY_S


def _sample(devices: Sequence[Registered], count: int) -> dict[str, list[str]]:
    """Datastreams spread evenly over the fleet, by device."""
    streams = [(device.device_id, name) for device in devices for name in device.streams]
    step = max(1, len(streams) // max(1, count))
    chosen: dict[str, list[str]] = {}
    for device_id, name in streams[::step][:count]:
        chosen.setdefault(device_id, []).append(name)
    return chosen


def _finish(report: Report, claims: Claims, *, with_api: bool) -> None:
    everything: Iterable[Claim] = {id(claim): claim for claim in claims.all()}.values()
    report.count(everything)
    for claim in everything:
        _check_expectation(report, claim)
    if not with_api:
        report.notes.append("the API was not asked (no --api)")
    if report.refused_again:
        report.notes.append(f"{report.refused_again} readings were refused again, as redeliveries are")
    if not report.complete:
        report.notes.append("what nobody claims was not judged: a journal breaks off")


def _check_expectation(report: Report, claim: Claim) -> None:
    """What the sender said of its message, where it said something and the broker took it."""
    expect = claim.message.expect
    if expect is None or not claim.certain or claim.fate in {"missing", "wrong"}:
        return
    if expect.startswith("refused:"):
        good = claim.fate == "refused" and expect.removeprefix("refused:") in claim.reasons
    else:
        good = claim.fate in _EXPECTED_FATES.get(expect, {claim.fate})
    if not good:
        report.findings.add("expectation", f"{claim}: the sender expected {expect}, it is {claim.fate}")
