import { ApiError, device as askDevice } from "./api";
import { ChartPanel } from "./chartpanel";
import { byId, h, icon, setText } from "./dom";
import { duration, number, observedTime, unit, unitOver, valueText } from "./format";
import { pick, t } from "./i18n";
import { RefusalsPanel } from "./refusals";
import { SiteFiguresPanel } from "./sitefigures";
import type { Changes, Entry, Store } from "./store";
import { ageElement, setAge, tick } from "./tick";
import type { Datastream, DeviceDetail, Reported, Value } from "./types";

/** Everything about the device that is open: values with ages, the course of one, what was refused. */
export class DetailView {
  private readonly element = h("div", { class: "detail", id: "detail", hidden: true });
  private readonly title = h("h2", { id: "detail-title", tabindex: -1 });
  private readonly close = h("button", { type: "button", class: "icon-button", id: "close-detail" }, icon("close"));
  private readonly place = h("p", { class: "muted small" });
  private readonly state = h("div", { class: "state-line" });
  private readonly facts = h("dl", { class: "facts" });
  private readonly valuesTitle = h("h3", { id: "values-title" });
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private readonly note = h("p", { class: "small muted" });
  private readonly rows = new Map<string, HTMLTableRowElement>();
  private readonly chart = new ChartPanel((stream) => this.intervalOf(stream.id));
  private readonly refusals = new RefusalsPanel();
  private readonly siteFigures = new SiteFiguresPanel();
  private detail: DeviceDetail | null = null;
  private charted: string | null = null;
  private abort = new AbortController();

  constructor(
    private readonly store: Store,
    private readonly onClose: () => void,
  ) {
    this.element.append(
      h("div", { class: "detail-head" }, h("div", {}, this.title, this.place), this.close),
      this.state,
      this.siteFigures.element,
      this.chart.element,
      h(
        "section",
        { class: "detail-part", "aria-labelledby": "values-title" },
        h("div", { class: "part-head" }, this.valuesTitle),
        h(
          "table",
          { class: "values", id: "values", "aria-labelledby": "values-title" },
          h("thead", {}, this.head),
          this.body,
        ),
        this.note,
      ),
      this.refusals.element,
      this.facts,
    );
    byId("side").append(this.element);
    this.close.addEventListener("click", onClose);
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.onClose();
    });
    this.body.addEventListener("click", (event) => {
      const id = (event.target as Element).closest<HTMLElement>("[data-chart]")?.dataset["chart"];
      if (id) this.pickChart(id);
    });
  }

  draw(changes: Changes): void {
    const id = this.store.selected;
    if (changes.selection) this.open(id);
    else if (id && changes.devices.has(id)) this.update(true);
  }

  focus(): void {
    this.title.focus();
  }

  /** Words or colours changed: everything anew from what is known. */
  redraw(): void {
    this.rows.clear();
    this.body.replaceChildren();
    this.refusals.words();
    this.siteFigures.words();
    this.chart.redraw();
    this.update(false);
  }

  /** The stream came or went: what is known of the device's state changed its worth. */
  lineChanged(): void {
    this.update(false);
  }

  /** Ask for the device again, after a stream that may have missed something. */
  reload(): void {
    if (this.store.selected) void this.load(this.store.selected);
  }

  private get entry(): Entry | undefined {
    return this.store.selected ? this.store.devices.get(this.store.selected) : undefined;
  }

  private open(id: string | null): void {
    this.abort.abort();
    this.element.hidden = id === null;
    byId("problems").hidden = id !== null;
    byId("side").setAttribute("aria-labelledby", id ? "detail-title" : "side-title");
    document.body.classList.toggle("has-detail", id !== null);
    this.detail = null;
    this.charted = null;
    this.rows.clear();
    this.body.replaceChildren();
    this.chart.show(null);
    this.refusals.clear();
    this.siteFigures.clear();
    byId("side").scrollTop = 0;
    if (!id) return;
    this.update(false);
    void this.load(id);
  }

  private async load(id: string): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    void this.refusals.load(id, signal);
    const site = this.entry?.site.id;
    if (site) void this.siteFigures.load(site, signal);
    try {
      const detail = await askDevice(id, signal);
      if (signal.aborted) return;
      this.detail = detail;
      this.update(false);
      this.pickChart(this.charted ?? this.entry?.latest[0]?.datastream ?? detail.datastreams[0]?.id ?? null);
    } catch (error) {
      if (!signal.aborted)
        setText(this.note, t("failedPart", { detail: error instanceof ApiError ? error.message : String(error) }));
    }
  }

  private pickChart(id: string | null): void {
    const stream = this.detail?.datastreams.find((other) => other.id === id) ?? null;
    this.charted = stream?.id ?? null;
    this.chart.show(stream);
    this.update(false);
    for (const [datastream, row] of this.rows) row.classList.toggle("charted", datastream === this.charted);
  }

  private update(live: boolean): void {
    const entry = this.entry;
    if (!entry) return;
    const town = this.store.towns.find((other) => other.id === entry.town);
    setText(this.title, entry.name);
    setText(
      this.place,
      [entry.site.name, town ? pick(town.name) : entry.town, t(`domain.${entry.domain}`)].join(" · "),
    );
    this.element.dataset["device"] = entry.id;
    this.close.setAttribute("aria-label", t("close"));
    this.close.title = t("close");
    this.state.dataset["state"] = entry.state;
    this.state.replaceChildren(
      icon(entry.state, "state-icon"),
      h("strong", {}, t(`state.${entry.state}`)),
      h("span", { class: "small" }, this.store.live ? t(`stateHelp.${entry.state}`) : t("stateFrozen")),
    );
    this.facts.replaceChildren(
      ...fact(t("colDevice"), h("code", {}, entry.id)),
      ...fact(t("profile"), h("code", {}, entry.profile)),
      ...fact(t("interval"), duration(entry.reporting_interval_s)),
      ...fact(t("received"), entry.received_time ? ageElement(entry.received_time) : t("never")),
      ...fact(t("stateSince"), entry.state_since ? sinceElement(entry.state_since) : "–"),
      ...reported(t("battery"), this.detail?.battery),
      ...reported(t("signal"), this.detail?.signal),
    );
    setText(this.valuesTitle, t("valuesTitle"));
    if (this.head.lang !== document.documentElement.lang) {
      this.head.lang = document.documentElement.lang;
      this.head.replaceChildren(
        ...[t("colProperty"), t("colValueUnit"), t("colObserved"), t("colAge")].map((text) =>
          h("th", { scope: "col" }, text),
        ),
      );
    }
    this.chart.current(
      entry.latest.find((value) => value.datastream === this.charted),
      this.staleAfterS(this.charted ?? ""),
    );
    for (const value of entry.latest) {
      this.fill(value);
      if (live) this.chart.add(value);
    }
    const flagged = entry.latest.some((value) => value.quality !== 0);
    setText(this.note, entry.latest.length === 0 ? t("noValuesYet") : flagged ? t("qualityHelp") : "");
    tick();
  }

  private fill(value: Value): void {
    let row = this.rows.get(value.datastream);
    if (!row) {
      row = h(
        "tr",
        { "data-datastream": value.datastream, class: value.datastream === this.charted ? "charted" : null },
        h(
          "th",
          { scope: "row" },
          h(
            "button",
            {
              type: "button",
              class: "chart-button",
              "data-chart": value.datastream,
              title: t("showChart", { name: pick(value.label) }),
            },
            pick(value.label),
          ),
        ),
        h("td", { class: "value-cell" }),
        h("td", { class: "observed" }),
        h(
          "td",
          { class: "age-cell" },
          ageElement(value.phenomenon_time),
          h("span", { class: "stale-flag" }, icon("stale"), h("span", {}, t("staleValue"))),
        ),
      );
      this.rows.set(value.datastream, row);
      this.body.append(row);
    }
    const [, cell, observed, age] = row.cells as unknown as HTMLTableCellElement[];
    if (!cell || !observed || !age) return;
    const changed = row.dataset["observed"] !== undefined && row.dataset["observed"] !== value.phenomenon_time;
    row.dataset["value"] = String(value.value);
    row.dataset["observed"] = value.phenomenon_time;
    row.dataset["staleAfter"] = String(this.staleAfterS(value.datastream));
    row.dataset["quality"] = String(value.quality);
    cell.replaceChildren(
      h("span", { class: "figure" }, valueText(value.property, value.value, value.unit)),
      " ",
      h("span", { class: "unit" }, unitOver(value.property, value.unit, this.streamOf(value.datastream)?.period_s)),
      ...flags(value.quality),
    );
    setText(observed, observedTime(value.phenomenon_time));
    setAge(age.firstElementChild as HTMLElement, value.phenomenon_time);
    if (changed) flash(row);
  }

  private streamOf(id: string): Datastream | undefined {
    return this.detail?.datastreams.find((stream) => stream.id === id);
  }

  private intervalOf(id: string): number {
    return this.streamOf(id)?.interval_s ?? this.entry?.reporting_interval_s ?? 60;
  }

  /** Three intervals, as for the device; a value stamped with the start of its period is older by that period. */
  private staleAfterS(id: string): number {
    const stream = this.streamOf(id);
    return 3 * this.intervalOf(id) + (stream?.stamp === "start" ? (stream.period_s ?? 0) : 0);
  }
}

const fact = (term: string, content: Node | string): HTMLElement[] => [h("dt", {}, term), h("dd", {}, content)];

const sinceElement = (time: string): HTMLElement =>
  h("span", {}, `${observedTime(time)} · `, ageElement(time));

/** What a device says of itself, with its age; nothing where its profile has none. */
function reported(term: string, report: Reported | null | undefined): HTMLElement[] {
  if (!report) return [];
  if (report.value === null) return fact(term, t("noValue"));
  const text = `${number(report.value, report.unit)} ${unit(report.unit)} · `;
  return fact(term, h("span", {}, text, ageElement(report.phenomenon_time)));
}

const FLAGS = [1, 2, 4, 8, 16, 32, 64] as const;

/** What stands against a value, in words: see devices/quality.py. */
function flags(quality: number): HTMLElement[] {
  return FLAGS.filter((bit) => quality & bit).map((bit) => h("span", { class: "flag" }, t(`quality${bit}`)));
}

function flash(row: HTMLElement): void {
  row.classList.remove("fresh");
  void row.offsetWidth; // restarts the animation
  row.classList.add("fresh");
}
