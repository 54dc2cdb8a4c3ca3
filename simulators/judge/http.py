"""What the API answers against what is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx

from simulators.judge.store import time_of
from simulators.judge.windows import LENGTHS_S, close, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulators.judge.findings import Findings
    from simulators.judge.outcomes import Rows
    from simulators.judge.payloads import Registered
    from simulators.judge.store import Span
    from simulators.judge.windows import Window, Windows

RESOLUTION: Final = {900: "PT15M", 3_600: "PT1H", 86_400: "P1D"}
MAX_PAGES: Final = 10_000
_TIMEOUT_S: Final = 30.0


class Api:
    """A client of the API."""

    def __init__(self, url: str, token: str | None) -> None:
        """Make a client; it asks nothing yet.

        Args:
            url: `http://host:port`.
            token: bearer token; None where the API lets everybody look.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Take leave."""
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The body of an answer.

        Raises:
            httpx.HTTPError: no answer, or none of success.
        """
        answer = self._client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def bodies(self, path: str, **parameters: Any) -> Iterator[Any]:
        """All pages of a list."""
        cursor: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            body = self.get(path, **parameters, **cursor)
            yield body
            if not body.get("next"):
                return
            cursor = {"cursor": body["next"]}

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        """All items of a list, page after page."""
        for body in self.bodies(path, **parameters):
            yield from body["items"]


def micros(text: str | None) -> int | None:
    """An RFC 3339 time as Unix microseconds."""
    if text is None:
        return None
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def check_device(api: Api, device: Registered, names: Sequence[str], rows: Rows, span: Span, findings: Findings) -> int:
    """History, statistics and latest value of some datastreams of a device, as the API answers them.

    Args:
        api: who is asked.
        device: whose.
        names: which of its datastreams.
        rows: all its observations that may stand in a window of the span.
        span: whole local days, Unix seconds.
        findings: takes the deviations.

    Returns:
        How many answers were compared.
    """
    compared = 0
    windows = fold(rows, device)
    latest = {item["name"]: item for item in api.get(f"/v1/devices/{device.device_id}/latest")["items"]}
    for name in names:
        compared += _check_history(api, f"{device.device_id}:{name}", name, rows, span, findings)
        for length_s in LENGTHS_S:
            compared += _check_statistics(api, device, name, length_s, windows, span, findings)
        newest = max((time_us for stream, time_us in rows if stream == name), default=None)
        told = latest.get(name)
        told_us = None if told is None else micros(told["phenomenon_time"])
        if newest is not None and (told is None or told_us is None or told_us < newest):
            findings.add("api", f"{device.device_id}:{name}: latest of {told_us} us, newest is of {newest} us")
        elif told is not None and told_us == newest and told["value"] != rows[name, newest or 0].value:
            findings.add("api", f"{device.device_id}:{name}: latest {told['value']}, {rows[name, newest or 0].value:g}")
        compared += 1
    return compared


def _span(span: Span) -> dict[str, str]:
    return {"from": time_of(span[0]).isoformat(), "to": time_of(span[1]).isoformat(), "limit": "1000"}


def _check_history(api: Api, stream: str, name: str, rows: Rows, span: Span, findings: Findings) -> int:
    told = {
        micros(item["phenomenon_time"]): item["value"]
        for item in api.pages(f"/v1/datastreams/{stream}/observations", **_span(span))
    }
    stored = {
        time_us: row.value
        for (each, time_us), row in rows.items()
        if each == name and span[0] * 1_000_000 <= time_us < span[1] * 1_000_000
    }
    if told != stored:
        wrong = len(dict(told.items() ^ stored.items()))
        findings.add("api", f"{stream}: history differs at {wrong} times from what is stored", wrong)
    return 1


def _check_statistics(
    api: Api, device: Registered, name: str, length_s: int, windows: Windows, span: Span, findings: Findings
) -> int:
    stream = f"{device.device_id}:{name}"
    answer = api.pages(f"/v1/datastreams/{stream}/statistics", **_span(span), resolution=RESOLUTION[length_s])
    told = {(micros(item["start"]) or 0) // 1_000_000: item for item in answer}
    plain = {
        start_s: window
        for (each, length, start_s), window in windows.items()
        if each == name and length == length_s and span[0] <= start_s < span[1]
    }
    for start_s in plain.keys() | told.keys():
        item, window = told.get(start_s), plain.get(start_s)
        wrong = _wrong_in(item, window, device.streams[name].observed_property)
        if wrong:
            findings.add("api", f"{stream}, {RESOLUTION[length_s]} from {start_s}: {wrong}")
    return len(told)


def _wrong_in(item: Mapping[str, Any] | None, window: Window | None, observed_property: str) -> str:
    """What is wrong in a window as the API answers it; empty: nothing."""
    if window is None:
        empty = item is None or (item["count"] == 0 and not item["flagged"] and item["mean"] is None)
        return "" if empty else f"count {item and item['count']}, there are no such observations"
    if item is None:
        return "it is not there"
    scale = max((abs(value) for value in window.values), default=0.0)
    plain: dict[str, Any] = {
        "count": window.count,
        "flagged": window.flagged,
        "min": min(window.values, default=None),
        "max": max(window.values, default=None),
    }
    wrong = [f"{key} {item[key]} instead of {value}" for key, value in plain.items() if item[key] != value]
    numbers = (("sum", window.sum, scale * window.count), ("mean", window.mean_of(observed_property), scale))
    wrong += [
        f"{key} {item[key]} instead of {value}" for key, value, size in numbers if not close(item[key], value, size)
    ]
    for key, end in (("first_phenomenon_time", window.first), ("last_phenomenon_time", window.last)):
        if micros(item[key]) != (end[0] if end else None):
            wrong.append(f"{key} {item[key]}")
    return "; ".join(wrong)
