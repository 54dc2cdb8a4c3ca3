import { h, icon, setText } from "./dom";
import { t } from "./i18n";
import type { StringKey } from "./strings";

/** A part of a sheet. It draws itself whenever it comes to stand there, and hears when it goes. */
export interface Part {
  readonly id: string;
  readonly title: StringKey;
  readonly element: HTMLElement;
  show(): void;
  hide(): void;
}

/** A page over the page, for work that takes more than a look: parts behind a switch, closed by Escape. */
export class Sheet {
  private readonly heading = h("h2", { tabindex: -1 });
  private readonly close = h("button", { type: "button", class: "icon-button" }, icon("close"));
  private readonly tabs = h("div", { class: "switch small", role: "group" });
  private readonly dialog: HTMLDialogElement;
  private part: Part | null = null;

  constructor(
    readonly id: string,
    private readonly title: StringKey,
    private readonly parts: readonly Part[],
  ) {
    this.heading.id = `${id}-title`;
    this.close.id = `${id}-close`;
    this.dialog = h(
      "dialog",
      { class: "sheet", id, "aria-labelledby": this.heading.id },
      h("div", { class: "sheet-head" }, this.heading, this.tabs, this.close),
      ...parts.map((part) => part.element),
    );
    document.body.append(this.dialog);
    this.close.addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.turn(null));
  }

  /** Show a part, the first where none is named. */
  open(id?: string): void {
    setText(this.heading, t(this.title));
    this.close.setAttribute("aria-label", t("closeSheet"));
    this.close.title = t("closeSheet");
    this.tabs.setAttribute("aria-labelledby", this.heading.id);
    this.tabs.replaceChildren(
      ...this.parts.map((part) => {
        const button = h("button", { type: "button", "data-part": part.id }, t(part.title));
        button.addEventListener("click", () => this.turn(part));
        return button;
      }),
    );
    if (!this.dialog.open) this.dialog.showModal();
    this.turn(this.parts.find((part) => part.id === id) ?? this.parts[0] ?? null);
    this.heading.focus();
  }

  shut(): void {
    this.dialog.close();
  }

  private turn(to: Part | null): void {
    this.part?.hide();
    this.part = to;
    for (const part of this.parts) part.element.hidden = part !== to;
    for (const button of this.tabs.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset["part"] === to?.id));
    }
    to?.show();
  }
}
