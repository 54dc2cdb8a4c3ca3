import { h, icon } from "./dom";
import { number, unit } from "./format";
import { pick, t } from "./i18n";
import { ageElement } from "./tick";
import type { Figure } from "./types";

/** How much a figure asks for a look; -1 where nothing can be said. */
export const severityOf = (figure: Figure): number => figure.level?.severity ?? -1;

/** The sign of a severity; words say the same beside it, so that colour alone never tells. */
export function severitySign(severity: number): HTMLElement {
  return h(
    "span",
    { class: "severity", "data-severity": severity },
    severity < 0 ? null : icon(severity >= 1 ? "warning" : "online"),
    h("span", { class: "visually-hidden" }, t(`severity.${severity}` as "severity.0")),
  );
}

/** What a figure says: its words or its level's, else nothing. */
export function words(figure: Figure): string {
  if (figure.value === null) return figure.reason_text ? pick(figure.reason_text) : t("noValue");
  const text = figure.text ?? figure.level?.name ?? null;
  return [text ? pick(text) : "", figure.indicative ? t("indicative") : ""].filter(Boolean).join(" · ");
}

/** Value and unit; a dash where there is none. */
export function figureValue(figure: Figure): HTMLElement {
  if (figure.value === null) return h("span", { class: "figure muted" }, "–");
  const colour = figure.level?.colour ?? null;
  return h(
    "span",
    { class: "figure", "data-value": figure.value },
    colour ? h("span", { class: "norm-colour", "data-colour": colour.toLowerCase() }) : null,
    number(figure.value, figure.unit),
    figure.unit === "1" ? null : h("span", { class: "unit" }, ` ${unit(figure.unit)}`),
  );
}

/** How old what stands behind a figure is, or nothing. */
export const figureAge = (figure: Figure): HTMLElement =>
  figure.phenomenon_time ? ageElement(figure.phenomenon_time) : h("span", { class: "age" });

/** How a figure was obtained, with its formula and its coverage. */
function obtained(figure: Figure): string {
  const part = figure.coverage === null ? "" : ` · ${t("coverage", { n: Math.round(100 * figure.coverage) })}`;
  return `${t(`obtained.${figure.obtained}`)}${figure.formula ? ` ${figure.formula}` : ""}${part}`;
}

/** The same at length, for whoever doubts it. */
export const origin = (figure: Figure): string => `${obtained(figure)}\n${figure.how}`;

/** The line under a figure's words: how it was obtained. */
export const originLine = (figure: Figure): HTMLElement => h("span", { class: "origin muted" }, obtained(figure));

/** A figure as a line of a list: sign, name, words, origin, value, age. */
export const figureItem = (figure: Figure): HTMLElement =>
  h(
    "li",
    { "data-severity": severityOf(figure) },
    h(
      "div",
      { class: "situation-line", "data-figure": figure.id, title: origin(figure) },
      severitySign(severityOf(figure)),
      h(
        "span",
        { class: "situation-text" },
        h("span", { class: "line" }, pick(figure.name)),
        h("span", { class: "small muted wrap" }, words(figure)),
      ),
      figureValue(figure),
      figureAge(figure),
      originLine(figure),
    ),
  );
