import { site as askSite } from "./api";
import { h, setText } from "./dom";
import { figureItem } from "./figures";
import { t } from "./i18n";
import type { Figure } from "./types";

/** So many stand above the chart; the others open at a press. */
const FIRST = 4;

/** What the readings of the open device's site mean: alarm level, index, faults, each with its origin. */
export class SiteFiguresPanel {
  private readonly title = h("h3", { id: "site-figures-title" });
  private readonly list = h("ul", { class: "situation-list" });
  private readonly summary = h("summary", { class: "small" });
  private readonly rest = h("ul", { class: "situation-list" });
  private readonly more = h("details", {}, this.summary, this.rest);
  readonly element = h(
    "section",
    { class: "detail-part", id: "site-figures", "aria-labelledby": "site-figures-title", hidden: true },
    h("div", { class: "part-head" }, this.title),
    this.list,
    this.more,
  );
  private figures: Figure[] = [];

  /** Ask for the site; where it does not answer the panel stays away, the values below say what there is. */
  async load(id: string, signal: AbortSignal): Promise<void> {
    const detail = await askSite(id, signal).catch(() => null);
    if (signal.aborted) return;
    this.figures = detail?.figures ?? [];
    this.words();
  }

  clear(): void {
    this.figures = [];
    this.words();
  }

  words(): void {
    setText(this.title, t("siteFigures"));
    this.element.hidden = this.figures.length === 0;
    // Worst first, as they come; what nothing can be said about last.
    const ordered = [
      ...this.figures.filter((figure) => figure.value !== null),
      ...this.figures.filter((figure) => figure.value === null),
    ];
    this.list.replaceChildren(...ordered.slice(0, FIRST).map(figureItem));
    this.rest.replaceChildren(...ordered.slice(FIRST).map(figureItem));
    setText(this.summary, t("moreFigures", { n: ordered.length - FIRST }));
    this.more.hidden = ordered.length <= FIRST;
  }
}
