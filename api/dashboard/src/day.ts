import { summary } from "./api";
import { complaint } from "./complaint";
import { nowMs } from "./clock";
import { byId, h, setText } from "./dom";
import { choice } from "./forms";
import { clockTime } from "./format";
import { figureItem } from "./figures";
import { t } from "./i18n";
import type { Store } from "./store";
import { DOMAINS, type Domain, type DomainSummary } from "./types";

const DAY_MS = 86_400_000;
const ZONE_MS = 7 * 3_600_000;
const AGAIN_MS = 60_000;

/** A domain's day in the chosen town: folded away until somebody asks, then asked anew every minute. */
export class DayView {
  private readonly title = h("summary", { id: "day-title" });
  private readonly domain = h("div", { class: "switch small", role: "group", id: "day-domain" });
  private date = choice([]);
  private readonly list = h("ul", { class: "situation-list", id: "day-figures" });
  private readonly sites = h("div", { id: "day-sites" });
  private readonly note = h("p", { class: "small muted", role: "status" });
  private readonly element = h(
    "details",
    { class: "day", id: "day", hidden: true },
    this.title,
    h("div", { class: "day-tools" }, this.domain, this.date),
    this.list,
    this.sites,
    this.note,
  );
  private chosen: Domain = "environment";
  private asked = "";
  private askedMs = 0;

  constructor(private readonly store: Store) {
    byId("situation").after(this.element);
    this.element.addEventListener("toggle", () => this.draw());
  }

  /** Another town, domain or language, or a minute later: ask again. */
  draw(): void {
    const { town } = this.store.filter;
    this.element.hidden = town === null;
    setText(this.title, t("dayTitle"));
    if (town === null || !this.element.open) return;
    const key = [document.documentElement.lang, town, this.date.value, this.shown].join(" ");
    if (key === this.asked && Date.now() - this.askedMs < AGAIN_MS) return;
    this.asked = key;
    this.askedMs = Date.now();
    this.tools();
    void this.load(town, key);
  }

  /** The domain the page is narrowed to, else the one pressed here. */
  private get shown(): Domain {
    return this.store.filter.domain ?? this.chosen;
  }

  private tools(): void {
    const days = [0, 1].map((back) => new Date(nowMs() + ZONE_MS - back * DAY_MS).toISOString().slice(0, 10));
    const before = this.date.value;
    const date = choice(
      days.map((day, back) => [back === 0 ? "" : day, t(back === 0 ? "today" : "yesterday")] as const),
      { id: "day-date", "aria-label": t("day") },
      days.includes(before) ? before : "",
    );
    date.addEventListener("change", () => this.draw());
    const focused = document.activeElement === this.date;
    this.date.replaceWith(date);
    this.date = date;
    if (focused) date.focus();
    this.domain.setAttribute("aria-label", t("domain"));
    const pressed = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["dayDomain"] : null;
    this.domain.replaceChildren(
      ...DOMAINS.map((domain) => {
        const on = domain === this.shown;
        const button = h(
          "button",
          { type: "button", "data-day-domain": domain, "aria-pressed": String(on) },
          t(`domain.${domain}`),
        );
        button.addEventListener("click", () => {
          this.chosen = domain;
          if (this.store.filter.domain) this.store.setFilter({ domain });
          this.draw();
        });
        return button;
      }),
    );
    if (pressed) this.domain.querySelector<HTMLElement>(`[data-day-domain=${pressed}]`)?.focus();
  }

  private async load(town: string, key: string): Promise<void> {
    if (this.list.children.length === 0) setText(this.note, t("loading"));
    try {
      const answer = await summary(town, this.shown, this.date.value);
      if (key === this.asked) this.show(answer);
    } catch (error) {
      if (key === this.asked) setText(this.note, complaint(error));
    }
  }

  private show(answer: DomainSummary): void {
    this.list.dataset["domain"] = answer.domain;
    this.list.dataset["date"] = answer.date;
    this.list.replaceChildren(...answer.figures.map(figureItem));
    this.sites.replaceChildren(
      ...answer.sites.flatMap(({ site, figures }) => [
        h("h3", {}, site.name),
        h("ul", { class: "situation-list" }, ...figures.map(figureItem)),
      ]),
    );
    const more = answer.site_count - answer.sites.length;
    const until = answer.complete ? t("dayWhole") : t("daySoFar", { time: clockTime(answer.generated_time) });
    const words = [until, more > 0 ? t("daySites", { n: answer.sites.length, all: answer.site_count }) : ""];
    setText(this.note, answer.figures.length ? words.join(" ") : t("noValue"));
  }
}
