import uPlot from "uplot";
import { observations, statistics } from "./api";
import { nowMs } from "./clock";
import { clockTime, day, duration, number, unit } from "./format";
import { t } from "./i18n";
import type { Datastream, Observation, WindowStatistics } from "./types";

/** More raw points than this make a line no thinner than a pixel: windows then tell more. */
const MOST_RAW = 3000;
const RAW_PAGES = 4;
const ZONE = "Asia/Ho_Chi_Minh";

/** Columns for the chart, times in Unix seconds; null is a gap. */
export interface Course {
  kind: "raw" | "windows";
  windowS: number;
  cut: boolean;
  times: number[];
  lowest: (number | null)[];
  highest: (number | null)[];
  values: (number | null)[];
  flagged: (number | null)[];
}

/** The course of a datastream over the last hours: raw where few enough, window statistics where long. */
export async function loadCourse(
  stream: Datastream,
  hours: number,
  intervalS: number,
  signal: AbortSignal,
): Promise<Course> {
  const now = new Date(nowMs());
  const from = new Date(now.getTime() - hours * 3_600_000);
  if ((hours * 3600) / intervalS > MOST_RAW) {
    const resolution = hours <= 48 ? "PT15M" : "PT1H";
    return fromWindows((await statistics(stream.id, from, now, resolution, signal)).items, hours <= 48 ? 900 : 3600);
  }
  const items = await observations(stream.id, from, RAW_PAGES, signal);
  return fromObservations(items, intervalS);
}

/** Raw observations as columns: silence of over three intervals is a gap, a flagged value a point beside the line. */
export function fromObservations(items: readonly Observation[], intervalS: number): Course {
  const course = emptyCourse("raw", intervalS);
  course.cut = items.length >= RAW_PAGES * 1000;
  for (const item of items) append(course, Date.parse(item.phenomenon_time) / 1000, item.value, item.quality);
  return course;
}

/** Flags that leave a value out of statistics: see devices/quality.py. */
const LEFT_OUT = 1 | 2 | 8 | 16 | 32;

/** Add one observation at the end; answers false when it is not newer than what is there. */
export function append(course: Course, time: number, value: number, quality: number): boolean {
  const last = course.times.at(-1);
  if (last !== undefined && time <= last) return false;
  if (last !== undefined && time - last > 3 * course.windowS) push(course, (last + time) / 2, null, null);
  const admitted = (quality & LEFT_OUT) === 0;
  push(course, time, admitted ? value : null, admitted ? null : value);
  return true;
}

/** Windows as columns at the middle of each; one with nothing in it, or one that is not listed, is a gap. */
export function fromWindows(items: readonly WindowStatistics[], windowS: number): Course {
  const course = emptyCourse("windows", windowS);
  for (const item of items) {
    const start = Date.parse(item.start) / 1000;
    const end = Date.parse(item.end) / 1000;
    const last = course.times.at(-1);
    if (last !== undefined && start - last > end - start) push(course, (last + start) / 2, null, null);
    push(course, (start + end) / 2, item.mean, null);
    course.lowest[course.lowest.length - 1] = item.min;
    course.highest[course.highest.length - 1] = item.max;
  }
  return course;
}

const emptyCourse = (kind: Course["kind"], windowS: number): Course => ({
  kind,
  windowS,
  cut: false,
  times: [],
  lowest: [],
  highest: [],
  values: [],
  flagged: [],
});

function push(course: Course, time: number, value: number | null, flagged: number | null): void {
  course.times.push(time);
  course.values.push(value);
  course.flagged.push(flagged);
  course.lowest.push(null);
  course.highest.push(null);
}

/** Draw a course into an element; `say` gets the words of what lies under the pointer, null when nothing does. */
export function drawCourse(
  parent: HTMLElement,
  course: Course,
  stream: Datastream,
  hours: number,
  say: (text: string | null) => void,
): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = `12px ${style.getPropertyValue("--font").trim() || "sans-serif"}`;
  const axis = {
    stroke: colour("muted"),
    font,
    grid: { stroke: colour("chart-grid"), width: 1 },
    ticks: { show: false },
  };
  const words = (values: number[]): string[] => values.map((value) => number(value, stream.unit === "m" ? "m" : ""));
  const lone = { show: (_: uPlot, __: number, first: number, last: number) => last - first < 40, size: 4 };
  const options: uPlot.Options = {
    width: Math.max(240, parent.clientWidth),
    height: Math.max(150, parent.clientHeight),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ZONE),
    legend: { show: false },
    cursor: { drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: () => [nowMs() / 1000 - hours * 3600, nowMs() / 1000] },
      y: { range: (_, low, high) => yRange(low, high) },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 64,
        values: (_, splits) => splits.map((s) => (hours > 48 ? day(s * 1000) : clockTime(s * 1000).slice(0, 5))),
      },
      { ...axis, size: 52, values: (_, splits) => words(splits) },
    ],
    series: [
      {},
      { stroke: "transparent", points: { show: false } },
      { stroke: "transparent", points: { show: false } },
      { stroke: colour("chart-line"), width: 2, points: { ...lone, fill: colour("chart-line") } },
      {
        stroke: colour("stale"),
        width: 0,
        points: { show: true, size: 6, fill: colour("panel"), stroke: colour("stale") },
      },
    ],
    bands: [{ series: [2, 1], fill: colour("chart-band") }],
    hooks: { setCursor: [(chart) => say(under(chart, course, stream))] },
  };
  return new uPlot(options, columns(course), parent);
}

export const columns = (course: Course): uPlot.AlignedData => [
  course.times,
  course.lowest,
  course.highest,
  course.values,
  course.flagged,
];

/** A flat line stands in the middle, and small noise is not blown up to the height of the chart. */
function yRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const room = Math.max((high - low) * 0.08, Math.max(Math.abs(low), Math.abs(high)) * 0.01, 0.01);
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

function under(chart: uPlot, course: Course, stream: Datastream): string | null {
  const at = chart.cursor.idx;
  if (at === null || at === undefined) return null;
  const value = course.values[at] ?? course.flagged[at];
  const time = course.times[at];
  if (value === null || value === undefined || time === undefined) return null;
  const when = `${day(time * 1000)} ${clockTime(time * 1000)}`;
  const lowest = course.lowest[at];
  const highest = course.highest[at];
  const span =
    lowest !== null && lowest !== undefined && highest !== null && highest !== undefined
      ? ` (${number(lowest, stream.unit)} – ${number(highest, stream.unit)})`
      : "";
  const flag = course.flagged[at] === null ? "" : ` · ${t("flaggedPoints")}`;
  return `${when}: ${number(value, stream.unit)} ${unit(stream.unit)}${span}${flag}`;
}

/** The course in one sentence, for those who do not see the line. */
export function summary(course: Course, stream: Datastream, name: string): string {
  const lows = (course.kind === "raw" ? course.values : course.lowest).filter((v) => v !== null);
  const highs = (course.kind === "raw" ? course.values : course.highest).filter((v) => v !== null);
  const values = course.values.filter((v) => v !== null);
  const last = values.at(-1);
  if (last === undefined) return t("chartNone");
  return t("chartSummary", {
    name,
    n: values.length,
    unit: unit(stream.unit),
    last: number(last, stream.unit),
    min: number(
      lows.reduce((a, b) => Math.min(a, b)),
      stream.unit,
    ),
    max: number(
      highs.reduce((a, b) => Math.max(a, b)),
      stream.unit,
    ),
  });
}

export const kindText = (course: Course): string =>
  course.kind === "raw" ? t("chartRaw") : t("chartMean", { window: duration(course.windowS) });
