import { byId, h, icon, setText } from "./dom";
import { age, count, number, unit } from "./format";
import { pick, t } from "./i18n";
import type { Store } from "./store";
import {
  DOMAINS,
  STATES_IN_SERVICE,
  type Domain,
  type DomainOverview,
  type Headline,
  type Overview,
  type State,
  type StateCounts,
  type Town,
} from "./types";
import type { StringKey } from "./strings";

/** How the API words its figures, by the start of its words. */
const HOW: readonly [string, StringKey][] = [
  ["sum over all counters", "howRate"],
  ["mean of the counters", "howSpeed"],
  ["number of lamps", "howLit"],
  ["sum of the current total power", "howPower"],
  ["energetic mean", "howEnergetic"],
  ["mean of current", "howMean"],
  ["highest of current", "howMax"],
  ["sum of current", "howSum"],
];

/** The towns at a glance: devices by state, and each domain's headlines with value, unit and age. */
export class CardsView {
  private readonly title = h("h2", { id: "towns-title", class: "visually-hidden" });
  private readonly list = h("div", { class: "cards" });
  private drawn = "";

  constructor(private readonly store: Store) {
    byId("towns").append(this.title, this.list);
  }

  draw(): void {
    setText(this.title, t("overviewTitle"));
    const towns = this.store.towns.filter((town) => !this.store.filter.town || town.id === this.store.filter.town);
    const counts = this.countStates();
    // Overviews come every few seconds, mostly unchanged; a rebuilt card would lose the focus that stands in it.
    const state = JSON.stringify([
      document.documentElement.lang,
      this.store.filter,
      towns,
      [...counts],
      [...this.store.overviews.values()].map((o) => o.domains),
    ]);
    if (state === this.drawn) return;
    this.drawn = state;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.id : "";
    this.list.replaceChildren(...towns.map((town) => this.card(town, counts.get(town.id) ?? town.devices)));
    this.list.classList.toggle("one", towns.length === 1);
    if (focused.startsWith("card-")) document.getElementById(focused)?.focus();
  }

  /** By what the page knows of each device, which is fresher than the overview. */
  private countStates(): Map<string, StateCounts> {
    const counts = new Map<string, StateCounts>();
    for (const entry of this.store.devices.values()) {
      const town = counts.get(entry.town) ?? {};
      town[entry.state] = (town[entry.state] ?? 0) + 1;
      counts.set(entry.town, town);
    }
    return counts;
  }

  private card(town: Town, states: StateCounts): HTMLElement {
    const overview = this.store.overviews.get(town.id);
    const full = this.store.filter.town === town.id;
    const total = STATES_IN_SERVICE.reduce((sum, state) => sum + (states[state] ?? 0), 0);
    return h(
      "article",
      { class: "card", "data-town": town.id },
      h(
        "header",
        { class: "card-head" },
        h("h3", {}, pick(town.name)),
        h("span", { class: "muted" }, t("devicesCount", { n: count(total) })),
      ),
      h("div", { class: "states" }, ...STATES_IN_SERVICE.map((state) => this.chip(town.id, state, states[state] ?? 0))),
      overview
        ? h(
            "dl",
            { class: "headlines" },
            ...inOrder(overview).flatMap(({ domain, headlines }) =>
              headlines.map((line) => headline(line, domain, full)),
            ),
          )
        : h("p", { class: "muted" }, t("loading")),
    );
  }

  /** How many devices are in a state; a press lists them. */
  private chip(town: string, state: State, n: number): HTMLElement {
    const { filter } = this.store;
    const on = filter.town === town && filter.state === state;
    const chip = h(
      "button",
      {
        type: "button",
        class: "chip",
        id: `card-${town}-${state}`,
        "data-state": state,
        "data-count": n,
        "aria-pressed": on,
        title: t(`stateHelp.${state}`),
        "data-zero": n === 0,
      },
      icon(state),
      h("span", { class: "chip-number" }, count(n)),
      h("span", { class: "chip-text" }, t(`state.${state}`)),
    );
    chip.setAttribute("aria-pressed", String(on));
    chip.addEventListener("click", () => this.store.setFilter(on ? { state: null } : { town, state }));
    return chip;
  }
}

/** Domains in the page's order: the water first. */
const inOrder = (overview: Overview): DomainOverview[] =>
  [...overview.domains].sort((a, b) => DOMAINS.indexOf(a.domain) - DOMAINS.indexOf(b.domain));

function headline(line: Headline, domain: Domain, full: boolean): HTMLElement {
  const known = HOW.find(([start]) => line.how.startsWith(start));
  const how = known ? t(known[1]) : line.how;
  const from = t("fromOf", { n: count(line.datastreams), of: count(line.of) });
  const note = `${how}, ${from}`;
  const newest = full ? line.newest_phenomenon_time : null;
  const cell =
    line.value === null
      ? h("dd", { class: "missing" }, h("span", {}, t("noValue")), h("span", { class: "headline-note" }, reason(line)))
      : h(
          "dd",
          {},
          // A number of lamps, not the state of one.
          h("span", { class: "figure" }, number(line.value, line.unit)),
          h("span", { class: "unit" }, unit(line.unit)),
          h(
            "span",
            { class: "headline-note age", "data-age-to": newest, "data-age-from": line.oldest_phenomenon_time },
            span(newest, line.oldest_phenomenon_time),
          ),
        );
  return h(
    "div",
    {
      class: "headline",
      "data-property": line.property,
      "data-value": line.value ?? "",
      title: `${pick(line.name)}: ${note}`,
    },
    h("dt", {}, icon(domain, "domain-icon"), pick(line.name)),
    cell,
    full && line.value !== null ? h("dd", { class: "how" }, note) : null,
  );
}

function reason(line: Headline): string {
  if (line.of === 0) return t("reasonNoDatastream");
  return line.reason === null || line.reason === "no current observation" ? t("reasonNoCurrent") : line.reason;
}

/** How old the observations behind a headline are, newest to oldest; where there is no room the oldest, which is the honest one. */
function span(newestTime: string | null, oldestTime: string | null): string {
  const newest = age(newestTime);
  const oldest = age(oldestTime);
  return newestTime === null || newest === oldest ? oldest : `${newest} – ${oldest}`;
}

/** Once a second: the ages of the headlines. */
export function tickHeadlines(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-age-from]")) {
    setText(element, span(element.dataset["ageTo"] ?? null, element.dataset["ageFrom"] ?? null));
  }
}
