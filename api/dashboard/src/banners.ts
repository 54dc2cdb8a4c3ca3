import { byId, h, icon, setText } from "./dom";
import { clockTime, duration } from "./format";
import { t } from "./i18n";

/** The lines across the page that nobody may overlook. Those that are an alarm are announced. */
export class BannerView {
  private readonly cut = banner("cut", "alert");
  private readonly failed = banner("failed", "alert");
  private readonly open = banner("open", "status");
  private cutSinceMs: number | null = null;
  private detail: string | null = null;

  constructor() {
    byId("banners").append(this.cut, this.failed, this.open);
  }

  setCut(cut: boolean): void {
    if (!cut) this.cutSinceMs = null;
    else this.cutSinceMs ??= Date.now();
    document.body.classList.toggle("is-cut", cut);
    this.words();
  }

  setFailed(detail: string | null): void {
    this.detail = detail;
    this.words();
  }

  setOpen(open: boolean): void {
    this.open.hidden = !open;
    this.words();
  }

  words(): void {
    this.cut.hidden = this.cutSinceMs === null;
    if (this.cutSinceMs !== null) {
      const seconds = (Date.now() - this.cutSinceMs) / 1000;
      say(this.cut, t("cutBanner", { time: clockTime(this.cutSinceMs), age: duration(seconds) }));
    }
    this.failed.hidden = this.detail === null;
    if (this.detail !== null) say(this.failed, t("loadFailed", { detail: this.detail || t("noAnswer") }));
    if (!this.open.hidden) say(this.open, t("openBanner"));
  }
}

function banner(name: string, role: string): HTMLElement {
  return h(
    "div",
    { class: `banner banner-${name}`, role, id: `banner-${name}`, hidden: true },
    icon("warning"),
    h("span"),
  );
}

const say = (element: HTMLElement, text: string): void => setText(element.lastElementChild as HTMLElement, text);
