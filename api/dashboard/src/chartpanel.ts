import type uPlot from "uplot";
import { ApiError } from "./api";
import { append, columns, drawCourse, kindText, loadCourse, summary, type Course } from "./chart";
import { h, setText } from "./dom";
import { unitOver, valueText } from "./format";
import { pick, t } from "./i18n";
import { ageElement } from "./tick";
import type { Datastream, Value } from "./types";

const RANGES_H = [1, 24, 168] as const;
type Hours = (typeof RANGES_H)[number];

/** The chart of one datastream, with its range; new observations are drawn as they come. */
export class ChartPanel {
  readonly element: HTMLElement;
  private readonly title = h("h3", { id: "chart-title" });
  private readonly now = h("p", { class: "chart-now" });
  private readonly ranges = h("div", { class: "switch small", role: "group" });
  private readonly place = h("div", { class: "chart", id: "chart", role: "img" });
  private readonly note = h("p", { class: "chart-note small muted" });
  private hours: Hours = 24;
  private stream: Datastream | null = null;
  private course: Course | null = null;
  private chart: uPlot | null = null;
  private abort = new AbortController();

  constructor(private readonly intervalOf: (stream: Datastream) => number) {
    this.element = h(
      "section",
      { class: "detail-part", "aria-labelledby": "chart-title" },
      h("div", { class: "part-head" }, h("div", {}, this.title, this.now), this.ranges),
      this.place,
      this.note,
    );
    for (const hours of RANGES_H) {
      const button = h("button", { type: "button", "data-hours": hours });
      button.addEventListener("click", () => {
        this.hours = hours;
        this.words();
        void this.load();
      });
      this.ranges.append(button);
    }
    new ResizeObserver(() =>
      this.chart?.setSize({ width: this.place.clientWidth, height: this.place.clientHeight }),
    ).observe(this.place);
    this.words();
  }

  words(): void {
    setText(this.title, this.stream ? pick(this.stream.label) : t("chartTitle"));
    // Until the course is drawn and told in a sentence.
    this.place.setAttribute("aria-label", this.title.textContent ?? t("chartTitle"));
    this.ranges.setAttribute("aria-label", t("range"));
    for (const button of this.ranges.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset["hours"]) === this.hours));
      setText(button, t(`range.${Number(button.dataset["hours"]) as Hours}`));
    }
  }

  show(stream: Datastream | null): void {
    this.stream = stream;
    this.element.hidden = stream === null;
    this.words();
    if (stream) void this.load();
    else this.clear();
  }

  /** The newest value, beside the title; what makes it stale is the caller's knowledge. */
  current(value: Value | undefined, staleAfterS: number): void {
    if (!value) {
      this.now.replaceChildren(h("span", { class: "muted" }, t("noValue")));
      delete this.now.dataset["staleAfter"];
      this.now.dataset["stale"] = "false";
      return;
    }
    this.now.dataset["observed"] = value.phenomenon_time;
    this.now.dataset["staleAfter"] = String(staleAfterS);
    this.now.replaceChildren(
      h("span", { class: "figure" }, valueText(value.property, value.value, value.unit)),
      h("span", { class: "unit" }, unitOver(value.property, value.unit, this.stream?.period_s)),
      ageElement(value.phenomenon_time),
    );
  }

  /** Draw again with the words and colours of now. */
  redraw(): void {
    this.words();
    this.render();
  }

  /** Take a new value of the shown datastream; window statistics take theirs at the next load. */
  add(value: Value): void {
    if (value.datastream !== this.stream?.id || this.course?.kind !== "raw") return;
    if (!append(this.course, Date.parse(value.phenomenon_time) / 1000, value.value, value.quality)) return;
    if (this.chart) {
      this.chart.setData(columns(this.course));
      this.describe();
    } else this.render();
  }

  private async load(): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const { stream } = this;
    if (!stream) return;
    this.clear();
    setText(this.note, t("loading"));
    try {
      const course = await loadCourse(stream, this.hours, this.intervalOf(stream), signal);
      if (signal.aborted) return;
      this.course = course;
      this.render();
    } catch (error) {
      if (!signal.aborted)
        setText(this.note, t("failedPart", { detail: error instanceof ApiError ? error.message : String(error) }));
    }
  }

  private clear(): void {
    this.chart?.destroy();
    this.chart = null;
    this.course = null;
    this.place.dataset["points"] = "0";
  }

  private render(): void {
    this.chart?.destroy();
    this.chart = null;
    if (!this.course || !this.stream) return;
    if (this.course.times.length > 0) {
      this.chart = drawCourse(this.place, this.course, this.stream, this.hours, (text) =>
        setText(this.note, text ?? this.kind()),
      );
    }
    this.describe();
  }

  private describe(): void {
    if (!this.course || !this.stream) return;
    this.place.dataset["points"] = String(this.course.times.length);
    this.place.setAttribute("aria-label", summary(this.course, this.stream, pick(this.stream.label)));
    if (this.chart?.cursor.idx === null || this.chart?.cursor.idx === undefined) setText(this.note, this.kind());
  }

  private kind(): string {
    if (!this.course || this.course.times.length === 0) return t("chartNone");
    const cut = this.course.cut ? ` · ${t("chartCut", { n: this.course.times.length })}` : "";
    return kindText(this.course) + cut;
  }
}
