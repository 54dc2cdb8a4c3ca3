import { byId, h, icon, setText } from "./dom";
import { admits, compare, type Order } from "./filter";
import { count, valueWithUnit } from "./format";
import { pick, t } from "./i18n";
import type { Changes, Entry, Store } from "./store";
import { ageElement, setAge } from "./tick";
import { DOMAINS, STATES, type Domain, type State } from "./types";
import type { StringKey } from "./strings";

const ROW_PX = 44;
const BEYOND = 6;

const COLUMNS: readonly { key: StringKey; order: Order | null }[] = [
  { key: "state", order: "state" },
  { key: "colDevice", order: "name" },
  { key: "colValue", order: null },
  { key: "colAge", order: "age" },
];

/** Every device on the map, as a table the keyboard reaches. Only the rows in sight exist: it holds thousands. */
export class TableView {
  private rows: Entry[] = [];
  private order: Order = "state";
  private active = 0;
  private readonly drawn = new Map<string, HTMLTableRowElement>();
  private readonly title = h("h2", { id: "table-title" });
  private readonly shown = h("span", { class: "muted", id: "shown", role: "status" });
  private readonly search = h("input", {
    type: "search",
    id: "search",
    maxlength: 80,
    autocomplete: "off",
    spellcheck: "false",
  });
  private readonly domain = h("select", { id: "filter-domain" });
  private readonly state = h("select", { id: "filter-state" });
  private readonly clear = h("button", { type: "button", class: "text-button", id: "clear-filter" });
  private readonly head = h("tr", { "aria-rowindex": 1 });
  private readonly above = h("tr", { class: "spacer", "aria-hidden": "true" }, h("td", { colspan: COLUMNS.length }));
  private readonly below = h("tr", { class: "spacer", "aria-hidden": "true" }, h("td", { colspan: COLUMNS.length }));
  private readonly body = h("tbody", {}, this.above, this.below);
  private readonly grid = h(
    "table",
    { id: "grid", class: "grid", role: "grid", tabindex: 0, "aria-labelledby": "table-title" },
    h("thead", {}, this.head),
    this.body,
  );
  private readonly scroller = h("div", { class: "scroller" }, this.grid);
  private readonly empty = h("p", { class: "empty", hidden: true });

  constructor(
    private readonly store: Store,
    private readonly open: (id: string) => void,
  ) {
    byId("table-panel").append(
      h("div", { class: "panel-head" }, this.title, this.shown),
      h("div", { class: "filters", role: "search" }, this.search, this.domain, this.state, this.clear),
      this.scroller,
      this.empty,
    );
    this.search.addEventListener("input", () => store.setFilter({ text: this.search.value.trim() }));
    this.domain.addEventListener("change", () =>
      store.setFilter({ domain: (this.domain.value || null) as Domain | null }),
    );
    this.state.addEventListener("change", () => store.setFilter({ state: (this.state.value || null) as State | null }));
    this.clear.addEventListener("click", () => store.setFilter({ domain: null, state: null, text: "" }));
    this.scroller.addEventListener("scroll", () => requestAnimationFrame(() => this.window()), { passive: true });
    new ResizeObserver(() => this.window()).observe(this.scroller);
    this.grid.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    this.words();
  }

  words(): void {
    setText(this.title, t("tableTitle"));
    this.search.placeholder = t("search");
    this.search.setAttribute("aria-label", t("search"));
    this.domain.setAttribute("aria-label", t("domain"));
    this.state.setAttribute("aria-label", t("state"));
    this.grid.setAttribute("aria-description", t("tableHelp"));
    setText(this.clear, t("clearFilter"));
    setText(this.empty, t("noMatch"));
    options(
      this.domain,
      t("anyDomain"),
      DOMAINS.map((domain) => [domain, t(`domain.${domain}`)]),
    );
    options(
      this.state,
      t("anyState"),
      STATES.map((state) => [state, t(`state.${state}`)]),
    );
    this.head.replaceChildren(...COLUMNS.map(({ key, order }) => this.headCell(key, order)));
    this.forget();
    this.relist();
  }

  draw(changes: Changes): void {
    if (changes.list) this.relist();
    else for (const id of changes.devices) this.redraw(id);
    if (changes.selection) this.reveal();
  }

  focus(): void {
    this.grid.focus();
  }

  private relist(): void {
    const { filter } = this.store;
    const id = this.rows[this.active]?.id;
    this.rows = [...this.store.devices.values()].filter((entry) => admits(filter, entry));
    this.rows.sort((a, b) => compare(this.order, a, b));
    this.active = Math.max(
      0,
      this.rows.findIndex((entry) => entry.id === id),
    );
    const all = [...this.store.devices.values()].filter((entry) => entry.state !== "retired").length;
    setText(this.shown, t("showing", { n: count(this.rows.length), all: count(all) }));
    this.grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.grid.dataset["count"] = String(this.rows.length);
    this.domain.value = filter.domain ?? "";
    this.state.value = filter.state ?? "";
    if (this.search.value.trim() !== filter.text) this.search.value = filter.text;
    this.clear.hidden = !filter.domain && !filter.state && !filter.text;
    this.empty.hidden = this.rows.length > 0 || this.store.devices.size === 0;
    this.forget();
    this.window();
  }

  /** Put the rows that the scroll position shows into the page, and no others. */
  private window(): void {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_PX) - BEYOND);
    const last = Math.min(this.rows.length, first + Math.ceil(this.scroller.clientHeight / ROW_PX) + 2 * BEYOND);
    const wanted = this.rows.slice(first, last);
    const ids = new Set(wanted.map((entry) => entry.id));
    for (const [id, row] of this.drawn) {
      if (ids.has(id)) continue;
      row.remove();
      this.drawn.delete(id);
    }
    let before: Element = this.above;
    wanted.forEach((entry, offset) => {
      let row = this.drawn.get(entry.id);
      if (!row) this.drawn.set(entry.id, (row = newRow(entry)));
      row.setAttribute("aria-rowindex", String(first + offset + 2));
      if (before.nextElementSibling !== row) before.after(row);
      before = row;
      this.fill(row, entry);
    });
    // Through the style object, which the content security policy allows, unlike style attributes.
    (this.above.firstElementChild as HTMLElement).style.height = `${first * ROW_PX}px`;
    (this.below.firstElementChild as HTMLElement).style.height = `${(this.rows.length - last) * ROW_PX}px`;
    this.point();
  }

  private redraw(id: string): void {
    const row = this.drawn.get(id);
    const entry = this.store.devices.get(id);
    if (row && entry) this.fill(row, entry);
  }

  private fill(row: HTMLTableRowElement, entry: Entry): void {
    const [state, , value, age] = row.cells as unknown as HTMLTableCellElement[];
    if (!state || !value || !age) return;
    if (row.dataset["state"] !== entry.state) {
      row.dataset["state"] = entry.state;
      state.replaceChildren(
        icon(entry.state, "state-icon"),
        h("span", { class: "state-text" }, t(`state.${entry.state}`)),
      );
    }
    const main = entry.latest[0];
    setText(value.children[0] as HTMLElement, main ? valueWithUnit(main) : t("noValue"));
    setText(value.children[1] as HTMLElement, main ? pick(main.label) : "");
    setAge(age.firstElementChild as HTMLElement, entry.phenomenon_time);
    row.setAttribute("aria-selected", String(this.store.selected === entry.id));
  }

  private forget(): void {
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
  }

  private headCell(key: StringKey, order: Order | null): HTMLTableCellElement {
    const sorted = order !== null && order === this.order;
    const content =
      order === null ? h("span", {}, t(key)) : h("button", { type: "button", "data-order": order }, t(key));
    if (order !== null) {
      content.addEventListener("click", () => {
        this.order = order;
        this.words();
        this.head.querySelector<HTMLElement>(`[data-order=${order}]`)?.focus();
      });
    }
    return h("th", { scope: "col", class: `col-${key}`, "aria-sort": sorted ? "ascending" : null }, content);
  }

  private point(): void {
    const entry = this.rows[this.active];
    const row = entry && this.drawn.get(entry.id);
    if (row) this.grid.setAttribute("aria-activedescendant", row.id);
    else this.grid.removeAttribute("aria-activedescendant");
    for (const [id, other] of this.drawn) other.classList.toggle("active", id === entry?.id);
  }

  private move(to: number): void {
    this.active = Math.max(0, Math.min(this.rows.length - 1, to));
    const top = this.active * ROW_PX;
    const room = this.scroller.clientHeight - (this.head.offsetHeight || ROW_PX);
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW_PX > this.scroller.scrollTop + room) this.scroller.scrollTop = top + ROW_PX - room;
    this.window();
  }

  /** Bring the selected device into sight, whoever selected it. */
  private reveal(): void {
    const place = this.rows.findIndex((entry) => entry.id === this.store.selected);
    if (place >= 0) this.move(place);
    else this.window();
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.grid) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_PX) - 2);
    const to: Record<string, number> = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.rows.length - 1,
    };
    const target = to[event.key];
    const entry = this.rows[this.active];
    if (target !== undefined) this.move(target);
    else if ((event.key === "Enter" || event.key === " ") && entry) this.open(entry.id);
    else return;
    event.preventDefault();
  }

  private click(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLTableRowElement>("tr[data-device]");
    const id = row?.dataset["device"];
    if (id) this.store.select(id);
  }
}

function newRow(entry: Entry): HTMLTableRowElement {
  return h(
    "tr",
    { id: `row-${entry.id}`, "data-device": entry.id, "data-domain": entry.domain, "data-town": entry.town },
    h("td", { class: "col-state" }),
    h(
      "td",
      { class: "col-colDevice" },
      h("span", { class: "line" }, icon(entry.domain, "domain-icon"), h("span", {}, entry.name)),
      h("span", { class: "small muted" }, `${entry.site.name} · ${entry.id}`),
    ),
    h("td", { class: "col-colValue" }, h("span", { class: "line" }), h("span", { class: "small muted" })),
    h("td", { class: "col-colAge" }, ageElement(entry.phenomenon_time)),
  );
}

function options(select: HTMLSelectElement, any: string, choices: [string, string][]): void {
  const chosen = select.value;
  select.replaceChildren(
    h("option", { value: "" }, any),
    ...choices.map(([value, text]) => h("option", { value }, text)),
  );
  select.value = chosen;
}
