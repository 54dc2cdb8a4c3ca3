import { complaint } from "./complaint";
import { h, setText } from "./dom";
import { pressed } from "./forms";
import { t } from "./i18n";
import type { Page } from "./types";

/** A list that is loaded a page at a time, the next at a press. */
export class Listing<T> {
  readonly element: HTMLElement;
  readonly list: HTMLElement;
  private readonly note = h("p", { class: "muted", role: "status" });
  private readonly more = pressed(t("more"), () => void this.load(this.next));
  private next: string | null = null;
  private asked = 0;

  constructor(
    id: string,
    private readonly ask: (cursor: string | null) => Promise<Page<T>>,
    private readonly draw: (item: T) => HTMLElement,
    private readonly none = "",
  ) {
    this.list = h("ul", { class: "entries", id });
    this.more.hidden = true;
    this.element = h("div", {}, this.list, this.note, this.more);
  }

  /** From the beginning, without cursor. */
  async load(cursor: string | null = null): Promise<void> {
    const asked = ++this.asked;
    setText(this.note, t("loading"));
    try {
      const page = await this.ask(cursor);
      if (asked !== this.asked) return;
      const items = page.items.map((item) => this.draw(item));
      if (cursor === null) this.list.replaceChildren(...items);
      else this.list.append(...items);
      this.next = page.next;
      this.more.hidden = page.next === null;
      setText(this.note, this.list.children.length === 0 ? this.none : "");
    } catch (error) {
      if (asked === this.asked) setText(this.note, complaint(error));
    }
  }
}
