import { byId, h, icon, setText } from "./dom";
import { count } from "./format";
import { pick, t } from "./i18n";
import type { Entry, Store } from "./store";
import { ageElement } from "./tick";
import type { State } from "./types";

const MOST = 50;
const RANK: Partial<Record<State, number>> = { offline: 0, stale: 1, "never-seen": 3 };
const FAULT_RANK = 2;

/** What to look at when no device is open: the silent ones, the latest lost of each state first. */
export class ProblemsView {
  readonly element = h("div", { class: "problems", id: "problems" });
  private readonly title = h("h2", { id: "side-title" });
  private readonly number = h("span", { class: "badge" });
  private readonly list = h("ol", { class: "problem-list" });
  private readonly more = h("p", { class: "muted" });
  private readonly hint = h("p", { class: "hint muted" });
  private drawn = "";

  constructor(private readonly store: Store) {
    this.element.append(h("div", { class: "panel-head" }, this.title, this.number), this.list, this.more, this.hint);
    byId("side").append(this.element);
  }

  draw(): void {
    const { town } = this.store.filter;
    const found = [...this.store.devices.values()].filter((d) => rank(d) !== undefined && (!town || d.town === town));
    found.sort((a, b) => (rank(a) ?? 0) - (rank(b) ?? 0) || time(b) - time(a) || (a.id < b.id ? -1 : 1));
    const shown = found.slice(0, MOST);
    const state = JSON.stringify([
      document.documentElement.lang,
      found.length,
      this.store.devices.size,
      shown.map((d) => [d.id, d.state, RANK[d.state] === undefined ? null : since(d)]),
    ]);
    if (state === this.drawn) return;
    this.drawn = state;
    setText(this.title, t("problemsTitle"));
    setText(this.number, count(found.length));
    this.number.dataset["zero"] = String(found.length === 0);
    setText(this.hint, t("pickDevice"));
    setText(
      this.more,
      found.length > MOST
        ? t("problemsMore", { n: count(found.length - MOST) })
        : found.length === 0
          ? this.store.devices.size === 0
            ? t("loading")
            : t("problemsNone")
          : "",
    );
    const focused =
      document.activeElement instanceof HTMLElement ? document.activeElement.dataset["problem"] : undefined;
    this.list.replaceChildren(...shown.map((entry) => this.item(entry)));
    if (focused) this.list.querySelector<HTMLElement>(`[data-problem="${focused}"]`)?.focus();
  }

  private item(entry: Entry): HTMLElement {
    const town = this.store.towns.find((other) => other.id === entry.town);
    const where = [entry.site.name, town && !this.store.filter.town ? pick(town.name) : ""].filter(Boolean).join(" · ");
    const silent = RANK[entry.state] !== undefined;
    const when = silent ? since(entry) : null;
    const button = h(
      "button",
      { type: "button", class: "problem", "data-problem": entry.id, "data-state": silent ? entry.state : "stale" },
      icon(silent ? entry.state : "warning", "state-icon"),
      h(
        "span",
        { class: "problem-text" },
        h("span", { class: "line" }, icon(entry.domain, "domain-icon"), h("span", {}, entry.name)),
        h("span", { class: "small muted" }, where),
      ),
      h(
        "span",
        { class: "problem-state" },
        h("span", {}, silent ? t(`state.${entry.state}`) : t("faultFlag")),
        when ? ageElement(when) : null,
      ),
    );
    button.addEventListener("click", () => this.store.select(entry.id));
    return h("li", {}, button);
  }
}

/** How soon to look: the silent first, then those that speak but say themselves that they are faulty. */
const rank = (entry: Entry): number | undefined =>
  RANK[entry.state] ??
  (entry.state === "online" && entry.latest.some((value) => value.quality & 2) ? FAULT_RANK : undefined);

/** Since when a device has been silent: what it last said counts, not when the rule noticed. */
const since = (entry: Entry): string | null => entry.phenomenon_time ?? entry.state_since;
const time = (entry: Entry): number => Date.parse(since(entry) ?? "") || 0;
