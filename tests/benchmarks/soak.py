"""Memory at a steady load with everything running: worker, aggregator and broker, minute by minute.

`python -m tests.benchmarks.soak [--seconds 600] [--rate 420000] [--devices 1000]`; T2b is measured in the same run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from tests.benchmarks.aggregation_live import run
from tests.benchmarks.load import readings_a_message
from tests.benchmarks.report import Line

SLOPE_MB_A_MINUTE = 2.0
_SETTLING = 0.2  # share of the run in which caches may still fill


class Watch:
    """Keeps what it is shown, and prints it once a minute."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, dict[str, float]]] = []
        self._started = time.perf_counter()
        self._printed = -1

    def __call__(self, megabytes: dict[str, float]) -> None:
        """Keep the memory of each part."""
        at_s = time.perf_counter() - self._started
        self.seen.append((at_s, megabytes))
        if int(at_s / 60) > self._printed:
            self._printed = int(at_s / 60)
            self.tell()

    def tell(self) -> None:
        """Print what was seen last."""
        at_s, megabytes = self.seen[-1]
        parts = ", ".join(f"{part} {size:.0f} MB" for part, size in megabytes.items())
        print(f"    {at_s:.0f} s: {parts}", flush=True)

    def slope(self, part: str) -> float:
        """MB a minute, by least squares over what came after settling."""
        at_s = np.array([at for at, _ in self.seen])
        size = np.array([megabytes[part] for _, megabytes in self.seen])
        late = at_s >= _SETTLING * at_s[-1]
        return float(np.polyfit(at_s[late] / 60, size[late], 1)[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=420_000.0, help="readings a second")
    parser.add_argument("--devices", type=int, default=1_000)
    arguments = parser.parse_args()
    rate = arguments.rate / readings_a_message("gateway")
    watch = Watch()
    together = run(int(rate * arguments.seconds), arguments.devices, "--rate", str(rate), watch=watch)
    watch.tell()
    print(together.lines())
    slopes = {part: watch.slope(part) for part in watch.seen[0][1]}
    most = {part: max(megabytes[part] for _, megabytes in watch.seen) for part in slopes}
    text = ", ".join(f"{part} at most {most[part]:.0f} MB, {slopes[part]:+.2f} MB a minute" for part in slopes)
    text = f"{together.readings / together.committed_s:,.0f} readings/s over {together.committed_s:.0f} s: {text}"
    met = max(slopes.values()) <= SLOPE_MB_A_MINUTE
    print(Line("soak", f"{text} (target {SLOPE_MB_A_MINUTE:g} MB a minute)", met=met))


if __name__ == "__main__":
    main()
