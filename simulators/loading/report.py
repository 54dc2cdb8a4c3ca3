"""What a load run found, as text, JSON, HDR percentile files and a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulators.loading.latency import load_extra

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.loading.latency import Latencies
    from simulators.loading.sender import Sent


@dataclass(slots=True)
class LoadReport:
    """Everything measured in one run."""

    offered_readings_s: float | None  # None: as many as were acknowledged
    seconds: float  # how long was sent
    sent: Sent
    counted: dict[str, int] | None  # what the ledger counted; None: no database was given
    until_counted_s: float | None  # from the first message until the ledger had all
    latencies: dict[str, Latencies] = field(default_factory=dict)  # by file name
    processor_s: dict[str, float] = field(default_factory=dict)  # by part, over the whole run

    @property
    def sent_readings_s(self) -> float:
        """Readings handed to the broker, a second."""
        return self.sent.readings / self.seconds

    @property
    def achieved_readings_s(self) -> float | None:
        """Readings stored, a second, from the first message to the last commit."""
        if self.counted is None or not self.until_counted_s:
            return None
        return self.counted["stored"] / self.until_counted_s

    def processor_s_per_million(self) -> dict[str, float]:
        """Processor seconds a million readings, by part."""
        readings = self.counted["received"] if self.counted else self.sent.readings
        return {part: 1e6 * seconds / max(readings, 1) for part, seconds in self.processor_s.items()}

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "offered_readings_s": self.offered_readings_s,
            "sent_readings_s": self.sent_readings_s,
            "achieved_readings_s": self.achieved_readings_s,
            "seconds": self.seconds,
            "messages": self.sent.messages,
            "readings": self.sent.readings,
            "acknowledged": self.sent.acknowledged,
            "counted": self.counted,
            "latency_ms": {
                name: {"what": each.what, "count": each.count, **each.percentiles()}
                for name, each in self.latencies.items()
                if each.count
            },
            "processor_s_per_million_readings": self.processor_s_per_million(),
        }

    def lines(self) -> list[str]:
        """Everything, for people."""
        offered = "all it takes" if self.offered_readings_s is None else f"{self.offered_readings_s:,.0f} readings/s"
        sent = f"{self.sent.messages:,} messages, {self.sent.readings:,} readings in {self.seconds:.1f} s"
        lines = [
            f"offered  {offered}",
            f"sent     {self.sent_readings_s:,.0f} readings/s: {sent}; {self.sent.acknowledged:,} acknowledged",
        ]
        if self.achieved_readings_s is not None and self.counted is not None:
            rest = ", ".join(
                f"{count:,} {name}" for name, count in self.counted.items() if name != "received" and count
            )
            lines.append(f"achieved {self.achieved_readings_s:,.0f} readings/s stored; {rest}")
        for each in self.latencies.values():
            told = ", ".join(f"{name} {ms:.1f} ms" for name, ms in each.percentiles().items())
            lines.append(f"{each.what}: {told} ({each.count:,} samples)" if each.count else f"{each.what}: no sample")
        costs = ", ".join(f"{part} {seconds:.2f}" for part, seconds in self.processor_s_per_million().items())
        return [*lines, f"CPU-seconds a million readings: {costs}"] if costs else lines

    def save(self, folder: Path) -> list[str]:
        """Write report.json, an .hgrm file for each latency and load.png; answers their names."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        names = ["report.json"]
        for name, each in self.latencies.items():
            if each.count:
                each.save(folder / f"{name}.hgrm")
                names.append(f"{name}.hgrm")
        self._plot(folder / "load.png")
        return [*names, "load.png"]

    def _plot(self, file: Path) -> None:
        load_extra("matplotlib").use("Agg")
        figure = load_extra("matplotlib.figure").Figure(figsize=(10, 4.2), layout="constrained")
        rate, latency = figure.subplots(1, 2)
        rate.plot(self.sent.readings_by_second, color="#0072B2", label="sent")
        if self.offered_readings_s is not None:
            rate.axhline(self.offered_readings_s, color="#888888", linestyle="--", label="offered")
        highest = max(*self.sent.readings_by_second, self.offered_readings_s or 0.0, 1.0)
        rate.set(xlabel="second of the run", ylabel="readings/s", ylim=(0, 1.2 * highest))
        rate.legend()
        for each, colour in zip(self.latencies.values(), ("#D55E00", "#009E73"), strict=False):
            if each.count:
                shares, values = each.curve()
                latency.plot([100.0 / (100.0 - share) for share in shares], values, color=colour, label=each.what)
        latency.set(xlabel="percentile", ylabel="ms", xscale="log", ylim=(0, None))
        latency.set_xticks([1, 10, 100, 1_000, 10_000], ["0", "90", "99", "99.9", "99.99"])
        if latency.lines:
            latency.legend()
        figure.savefig(file, dpi=110)
