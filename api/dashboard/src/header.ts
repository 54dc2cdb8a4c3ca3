import { byId, h, icon, setText } from "./dom";
import { duration } from "./format";
import { language, pick, setLanguage, t } from "./i18n";
import type { Live } from "./live";
import type { Store } from "./store";
import type { StringKey } from "./strings";
import { clockTime } from "./format";
import { nowMs } from "./clock";
import type { Language } from "./types";

const LANGUAGES: readonly Language[] = ["vi", "en"];
const NAMES: Record<Language, string> = { vi: "Tiếng Việt", en: "English" };

/** The head of the page: which town, whether the stream lives, what time it is, which language. */
export class HeaderView {
  private readonly subtitle = h("span", { class: "subtitle" });
  private readonly towns = h("div", { class: "switch", role: "group", id: "town-switch" });
  private readonly languages = h("div", { class: "switch small", role: "group", id: "language-switch" });
  private readonly liveText = h("span", { class: "live-text" });
  private readonly liveAge = h("span", { class: "live-age" });
  private readonly live = h(
    "div",
    { class: "live", id: "live", role: "status" },
    h("span", { class: "live-dot" }),
    this.liveText,
  );
  private readonly clock = h("time", { class: "clock", id: "clock" });
  private readonly theme = h("button", { type: "button", class: "icon-button", id: "theme" }, icon("theme"));
  private readonly work = h("div", { class: "work" });
  private readonly enter = h("button", { type: "button", class: "text-button", id: "log-in", hidden: true });
  private readonly leave = h("button", { type: "button", class: "text-button", id: "log-out", hidden: true });

  constructor(
    private readonly store: Store,
    onTheme: () => void,
    onEnter: () => void,
    onLeave: () => void,
  ) {
    byId("header").append(
      h(
        "div",
        { class: "brand" },
        h("span", { class: "logo", "aria-hidden": "true" }),
        h("h1", {}, "Thu Bồn"),
        this.subtitle,
      ),
      this.towns,
      h("div", { class: "live-box" }, this.live, this.liveAge),
      this.clock,
      h("div", { class: "header-tools" }, this.work, this.languages, this.theme, this.enter, this.leave),
    );
    this.theme.addEventListener("click", onTheme);
    this.enter.addEventListener("click", onEnter);
    this.leave.addEventListener("click", onLeave);
    for (const code of LANGUAGES) {
      const button = h(
        "button",
        { type: "button", lang: code, "data-language": code, "aria-label": NAMES[code] },
        code.toUpperCase(),
      );
      button.addEventListener("click", () => setLanguage(code));
      this.languages.append(button);
    }
    this.words();
  }

  words(): void {
    document.documentElement.lang = language();
    document.title = t("title");
    setText(byId("skip"), t("skip"));
    setText(this.subtitle, t("subtitle"));
    setText(this.enter, t("logIn"));
    setText(this.leave, t("logOut"));
    for (const button of this.work.children) setText(button, t((button as HTMLElement).dataset["title"] as StringKey));
    this.theme.title = t("theme");
    this.theme.setAttribute("aria-label", t("theme"));
    this.towns.setAttribute("aria-label", t("townSwitch"));
    this.languages.setAttribute("aria-label", t("language"));
    for (const button of this.languages.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset["language"] === language()));
    }
    this.drawTowns();
  }

  drawTowns(): void {
    const wanted = [
      { id: "", text: t("allTowns") },
      ...this.store.towns.map((town) => ({ id: town.id, text: pick(town.name) })),
    ];
    while (this.towns.children.length > wanted.length) this.towns.lastElementChild?.remove();
    wanted.forEach(({ id, text }, place) => {
      let button = this.towns.children[place] as HTMLButtonElement | undefined;
      if (!button) {
        button = h("button", { type: "button" });
        button.addEventListener("click", (event) => {
          const town = (event.currentTarget as HTMLElement).dataset["town"];
          this.store.setFilter({ town: town === "" || town === undefined ? null : town });
        });
        this.towns.append(button);
      }
      button.dataset["town"] = id;
      button.setAttribute("aria-pressed", String((this.store.filter.town ?? "") === id));
      setText(button, text);
    });
  }

  /** Whether somebody can log in beside the open viewer, and whether somebody did. */
  setLogin(canEnter: boolean, canLeave: boolean): void {
    this.enter.hidden = !canEnter;
    this.leave.hidden = !canLeave;
  }

  /** A button that opens a page over the page; the caller knows who may. */
  addWork(id: string, title: StringKey, open: () => void): void {
    const button = h("button", { type: "button", class: "plain", id: `open-${id}`, "data-title": title }, t(title));
    button.addEventListener("click", open);
    this.work.append(button);
  }

  /** Once a second: the clock, and how long ago the stream said something. */
  tick(live: Live): void {
    setText(this.clock, clockTime(nowMs()));
    const state = live.state;
    if (this.live.dataset["state"] !== state) {
      this.live.dataset["state"] = state;
      setText(this.liveText, "");
    }
    setText(this.liveText, t(state === "connected" ? "liveConnected" : state === "cut" ? "liveCut" : "liveConnecting"));
    const since = live.lastEventMs === null ? null : (Date.now() - live.lastEventMs) / 1000;
    setText(this.liveAge, since === null ? t("noChange") : t("lastChange", { age: duration(since) }));
  }
}
