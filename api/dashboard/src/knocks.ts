import { complaint } from "./complaint";
import { acceptForm } from "./deviceform";
import { h, setText } from "./dom";
import { pressed, twice } from "./forms";
import { count, dateTime } from "./format";
import { pick, t } from "./i18n";
import { profileName } from "./profiles";
import { decideKnock, knocks, type Knock } from "./registry";
import { may } from "./rights";
import type { Part } from "./sheet";
import type { Store } from "./store";
import { ageElement } from "./tick";

const EVERY_MS = 5000;

/** Devices that send and that nobody registered: what each sent, and whether to take it in or turn it away. */
export class KnocksPart implements Part {
  readonly id = "knocks";
  readonly title = "knocksTitle";
  readonly element = h("section", { class: "sheet-part", id: "knocks", hidden: true });
  private readonly search = h("input", { type: "search", id: "knock-search", maxlength: 63, autocapitalize: "none" });
  private readonly refused = h("input", { type: "checkbox", id: "knock-refused" });
  private readonly list = h("ul", { class: "knock-list" });
  private readonly note = h("p", { class: "muted", role: "status" });
  private items: Knock[] = [];
  private drawn = "";
  private open: string | null = null;
  private timer = 0;
  private asked = 0;

  constructor(
    private readonly store: Store,
    private readonly accepted: (device: string) => void,
  ) {
    this.search.addEventListener("input", () => void this.load());
    this.refused.addEventListener("change", () => void this.load());
  }

  show(): void {
    this.drawn = "";
    this.open = null;
    this.search.placeholder = t("searchField");
    this.search.setAttribute("aria-label", t("searchField"));
    this.element.replaceChildren(
      h("p", { class: "muted" }, t("knocksHelp")),
      h(
        "div",
        { class: "filters" },
        this.search,
        h("label", { class: "tick" }, this.refused, t("knocksRefused")),
      ),
      this.note,
      this.list,
    );
    setText(this.note, t("loading"));
    void this.load();
    this.timer = window.setInterval(() => this.idle && void this.load(), EVERY_MS);
  }

  /** Whether nobody is in the middle of a decision, which a list that moves would spoil. */
  private get idle(): boolean {
    return !this.open && !document.hidden && this.list.querySelector(".danger") === null;
  }

  hide(): void {
    window.clearInterval(this.timer);
    this.asked++;
  }

  private async load(): Promise<void> {
    const asked = ++this.asked;
    try {
      const page = await knocks(this.refused.checked, this.search.value.trim().toLowerCase());
      if (asked !== this.asked || this.open) return;
      this.items = page.items;
      this.draw();
      setText(this.note, page.items.length ? (page.next ? t("knocksMore") : "") : t("knocksNone"));
    } catch (error) {
      if (asked === this.asked) setText(this.note, complaint(error));
    }
  }

  /** An unchanged list stays as it stands: what is opened in it stays open. */
  private draw(): void {
    const state = JSON.stringify([this.items, this.open]);
    if (state === this.drawn) return;
    this.drawn = state;
    const opened = new Set(
      [...this.list.querySelectorAll<HTMLElement>("details[open]")].map((other) => other.dataset["sample"]),
    );
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.id : "";
    this.list.replaceChildren(...this.items.map((knock) => this.item(knock, opened)));
    if (focused.startsWith("knock-")) document.getElementById(focused)?.focus();
  }

  private item(knock: Knock, opened: ReadonlySet<string | undefined>): HTMLElement {
    const town = this.store.towns.find((other) => other.id === knock.town);
    const guesses = knock.guesses.map(
      ({ profile, matching, unknown }) =>
        `${profileName(profile)} (${matching.length}/${matching.length + unknown.length})`,
    );
    const error = h("p", { class: "form-error", role: "alert" });
    const key = keyOf(knock);
    return h(
      "li",
      { class: "knock", "data-knock": knock.device },
      h("div", { class: "line" }, h("strong", {}, knock.device), ` · ${town ? pick(town.name) : knock.town}`),
      knock.reason === "wrong-town" ? h("p", { class: "flagged" }, t("knockWrongTown")) : null,
      h(
        "dl",
        { class: "facts" },
        ...fact(t("knockFirst"), dateTime(knock.first_time)),
        ...fact(t("knockLast"), h("span", {}, dateTime(knock.last_time), " · ", ageElement(knock.last_time))),
        ...fact(
          t("knockSent"),
          t("knockCounts", { messages: count(knock.messages), readings: count(knock.readings), kept: count(knock.kept) }),
        ),
        ...fact(t("knockTopic"), h("code", {}, knock.topic)),
        ...(knock.gateway ? fact(t("gateway"), h("code", {}, knock.gateway)) : []),
        ...fact(t("knockGuess"), guesses.length ? guesses.join(", ") : t("knockGuessNone")),
        ...(knock.refused_time
          ? fact(t("knockRefusedBy"), `${knock.refused_by ?? "–"} · ${dateTime(knock.refused_time)}`)
          : []),
      ),
      knock.sample_text === null
        ? null
        : h(
            "details",
            { "data-sample": key, open: opened.has(key) },
            h("summary", { id: `knock-sample-${knock.device}` }, t("knockSample")),
            h("pre", {}, knock.sample_text),
          ),
      may("engineer", knock.town) ? this.decisions(knock, error) : h("p", { class: "small muted" }, t("takesEngineer")),
      error,
    );
  }

  private decisions(knock: Knock, error: HTMLElement): HTMLElement {
    const close = (): void => {
      this.open = null;
      this.draw();
    };
    if (this.open === keyOf(knock)) {
      return acceptForm(
        knock,
        (device) => {
          this.open = null;
          this.accepted(device);
        },
        close,
      );
    }
    const decide = (decision: "refuse" | "forgive"): void => {
      decideKnock(knock.device, knock.town, decision).then(
        () => void this.load(),
        (refusal: unknown) => setText(error, complaint(refusal)),
      );
    };
    const accept = (): void => {
      this.open = keyOf(knock);
      this.draw();
      this.list.querySelector<HTMLElement>("form input")?.focus();
    };
    const device = knock.device;
    if (knock.refused_time)
      return h("div", { class: "acts" }, pressed(t("forgive"), () => decide("forgive"), { id: `knock-forgive-${device}` }));
    return h(
      "div",
      { class: "acts" },
      knock.reason === "unknown-device" ? pressed(t("accept"), accept, { id: `knock-accept-${device}` }) : null,
      twice(t("refuse"), t("refuseSure"), () => decide("refuse"), { id: `knock-refuse-${device}` }),
    );
  }
}

const keyOf = (knock: Knock): string => `${knock.town}/${knock.device}`;
const fact = (term: string, content: Node | string): HTMLElement[] => [h("dt", {}, term), h("dd", {}, content)];
