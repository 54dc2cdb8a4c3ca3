import { ApiError, rejections } from "./api";
import texts from "./assets/reasons.json";
import { h, setText } from "./dom";
import { count, observedTime } from "./format";
import { pick, t } from "./i18n";
import { ageElement } from "./tick";
import type { Bilingual, Page, Rejection } from "./types";

const MOST = 20;
const TEXTS: Record<string, { meaning: Bilingual; cure: Bilingual }> = texts;

/** What a reason means and what mends it, in the language of the page; nothing where the page does not know it. */
export function refusalText(reason: string): { meaning: string; cure: string } | null {
  const text = TEXTS[reason];
  return text ? { meaning: pick(text.meaning), cure: pick(text.cure) } : null;
}

/** Why readings of a device were refused, newest first, and what mends it. */
export class RefusalsPanel {
  readonly element: HTMLElement;
  private readonly title = h("h3", { id: "refusals-title" });
  private readonly number = h("span", { class: "muted small" });
  private readonly list = h("ol", { class: "refusals", id: "refusals" });
  private readonly note = h("p", { class: "small muted" });
  private page: Page<Rejection> | null = null;
  private failure: string | null = null;

  constructor() {
    this.element = h(
      "section",
      { class: "detail-part", "aria-labelledby": "refusals-title" },
      h("div", { class: "part-head" }, this.title, this.number),
      this.list,
      this.note,
    );
  }

  async load(device: string, signal: AbortSignal): Promise<void> {
    try {
      this.page = await rejections(device, MOST, signal);
      this.failure = null;
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error instanceof ApiError ? error.message : String(error);
    }
    if (!signal.aborted) this.words();
  }

  clear(): void {
    this.page = null;
    this.failure = null;
    this.words();
  }

  words(): void {
    setText(this.title, t("rejectionsTitle"));
    const items = this.page?.items ?? [];
    this.list.dataset["count"] = String(items.length);
    setText(
      this.number,
      items.length > 0 ? t("rejectionsCount", { n: `${count(items.length)}${this.page?.next ? "+" : ""}` }) : "",
    );
    setText(
      this.note,
      this.failure !== null
        ? t("failedPart", { detail: this.failure || t("noAnswer") })
        : this.page === null
          ? t("loading")
          : items.length === 0
            ? t("rejectionsNone")
            : "",
    );
    this.list.replaceChildren(...group(items).map(({ first, readings }) => item(first, readings)));
  }
}

/** The newest of each reason, with how many readings it cost among those listed. */
function group(items: readonly Rejection[]): { first: Rejection; readings: number }[] {
  const groups = new Map<string, { first: Rejection; readings: number }>();
  for (const rejection of items) {
    const known = groups.get(rejection.reason);
    if (known) known.readings += rejection.readings;
    else groups.set(rejection.reason, { first: rejection, readings: rejection.readings });
  }
  return [...groups.values()];
}

function item(rejection: Rejection, readings: number): HTMLElement {
  const text = refusalText(rejection.reason);
  return h(
    "li",
    { "data-reason": rejection.reason },
    h(
      "p",
      { class: "refusal-head" },
      h("strong", {}, text ? text.meaning : rejection.reason),
      " ",
      h("code", {}, rejection.reason),
    ),
    rejection.detail ? h("p", { class: "small" }, rejection.detail) : null,
    text ? h("p", { class: "small cure" }, text.cure) : null,
    h(
      "p",
      { class: "small muted" },
      `${t("readingsRefused", { n: count(readings) })} · ${observedTime(rejection.received_time)} · `,
      ageElement(rejection.received_time),
    ),
  );
}
