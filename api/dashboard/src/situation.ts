import { ApiError, ranking } from "./api";
import { byId, h, icon, setText } from "./dom";
import { figureAge, figureValue, origin, originLine, severityOf, severitySign, words } from "./figures";
import { pick, t } from "./i18n";
import type { Store } from "./store";
import { DOMAINS, type Domain, type Figure, type RankedSite, type Town } from "./types";

const SITES = 8;
/** By which figure of its sites a figure of the town is ranked; the others have no list of sites. */
const RANKED_BY: Record<string, string> = {
  "flood-alarm": "flood-alarm",
  "vn-aqi-hour": "vn-aqi-hour",
  "rain-24h": "rain-24h",
  "vehicle-flow": "vehicle-flow",
  "congested-sites": "level-of-service",
  "travel-time-index": "travel-time-index",
  "lamps-faulty": "lamp-faults",
  "cabinets-faulty": "cabinet-faults",
};
/** What is shown of every town even when all is well. */
const ALWAYS: ReadonlySet<string> = new Set(["flood-alarm", "vn-aqi-hour"]);

interface Line {
  town: Town;
  domain: Domain;
  figure: Figure;
}

/** What the readings mean, worst first: of one town everything, of all towns what needs a look, water and air. */
export class SituationView {
  private readonly title = h("h2", { id: "situation-title" });
  private readonly list = h("ul", { class: "situation-list" });
  private readonly element = h(
    "section",
    { class: "situation", id: "situation", "aria-labelledby": "situation-title" },
    h("div", { class: "panel-head" }, this.title),
    this.list,
  );
  private open: string | null = null;
  private sites: RankedSite[] = [];
  private failed = "";
  private drawn = "";

  constructor(private readonly store: Store) {
    byId("problems").prepend(this.element);
  }

  draw(): void {
    const lines = this.lines();
    const state = JSON.stringify([document.documentElement.lang, lines, this.open, this.sites, this.failed]);
    if (state === this.drawn) return;
    this.drawn = state;
    setText(this.title, t("situationTitle"));
    this.element.hidden = lines.length === 0;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.id : "";
    this.list.replaceChildren(...lines.map((line) => this.item(line)));
    if (focused.startsWith("figure-")) document.getElementById(focused)?.focus();
    if (this.open && !lines.some((line) => keyOf(line) === this.open)) this.toggle(null);
  }

  private lines(): Line[] {
    const { town: chosen, domain: only } = this.store.filter;
    const lines: Line[] = [];
    for (const town of this.store.towns) {
      if (chosen && town.id !== chosen) continue;
      for (const { domain, figures } of this.store.overviews.get(town.id)?.domains ?? []) {
        if (only && domain !== only) continue;
        for (const figure of figures) {
          if (chosen || severityOf(figure) >= 1 || ALWAYS.has(figure.id)) lines.push({ town, domain, figure });
        }
      }
    }
    const order = (line: Line): number => DOMAINS.indexOf(line.domain);
    return lines.sort((a, b) => severityOf(b.figure) - severityOf(a.figure) || order(a) - order(b));
  }

  private item(line: Line): HTMLElement {
    const { town, domain, figure } = line;
    const key = keyOf(line);
    const by = RANKED_BY[figure.id];
    const content = [
      severitySign(severityOf(figure)),
      h(
        "span",
        { class: "situation-text" },
        h("span", { class: "line" }, icon(domain, "domain-icon"), pick(figure.name)),
        h(
          "span",
          { class: "small muted" },
          [this.store.filter.town ? "" : pick(town.name), words(figure)].filter(Boolean).join(" · "),
        ),
      ),
      figureValue(figure),
      figureAge(figure),
      originLine(figure),
    ];
    const marks = { class: "situation-line", id: `figure-${key}`, "data-figure": figure.id, title: origin(figure) };
    if (!by) return h("li", { "data-severity": severityOf(figure) }, h("div", marks, ...content));
    const button = h(
      "button",
      { type: "button", "aria-expanded": this.open === key ? "true" : "false", ...marks },
      ...content,
    );
    button.addEventListener("click", () => this.toggle(this.open === key ? null : key, line));
    return h(
      "li",
      { "data-severity": severityOf(figure) },
      button,
      this.open === key ? this.ranked(domain) : null,
    );
  }

  /** The sites behind the figure, worst first; a press opens the site's device. */
  private ranked(domain: Domain): HTMLElement {
    if (this.failed) return h("p", { class: "small muted ranked" }, this.failed);
    const items = this.sites.map((ranked) => {
      const device = [...this.store.devices.values()].find(
        (entry) => entry.site.id === ranked.site.id && entry.domain === domain && entry.state !== "retired",
      );
      const button = h(
        "button",
        { type: "button", class: "ranked-site", "data-site": ranked.site.id, disabled: !device },
        severitySign(ranked.severity ?? -1),
        h(
          "span",
          { class: "situation-text" },
          h("span", { class: "line" }, ranked.site.name),
          h("span", { class: "small muted" }, words(ranked.figure)),
        ),
        figureValue(ranked.figure),
        figureAge(ranked.figure),
        originLine(ranked.figure),
      );
      button.addEventListener("click", () => device && this.store.select(device.id));
      return h("li", {}, button);
    });
    return h("ol", { class: "ranked", "aria-label": t("rankedSites") }, ...items);
  }

  private toggle(key: string | null, line?: Line): void {
    this.open = key;
    this.sites = [];
    this.failed = key ? t("loading") : "";
    this.draw();
    const by = line && RANKED_BY[line.figure.id];
    if (!key || !line || !by) return;
    ranking(line.town.id, line.domain, by, SITES).then(
      (sites) => this.show(key, sites, sites.length ? "" : t("noValue")),
      (error: unknown) =>
        this.show(key, [], t("failedPart", { detail: error instanceof ApiError ? error.message : String(error) })),
    );
  }

  private show(key: string, sites: RankedSite[], failed: string): void {
    if (this.open !== key) return;
    this.sites = sites;
    this.failed = failed;
    this.draw();
  }
}

const keyOf = ({ town, domain, figure }: Line): string => `${town.id}-${domain}-${figure.id}`;
