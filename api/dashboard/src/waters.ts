import { byId, h, icon, setText } from "./dom";
import { valueWithUnit } from "./format";
import { pick, t } from "./i18n";
import type { Changes, Entry, Store } from "./store";
import { setAge } from "./tick";
import type { Value } from "./types";

const LEVEL = "water-level";

/** The water at every gauge, always in sight while no device is open: at night in a flood it is the first question. */
export class WatersView {
  private readonly title = h("h2", { id: "waters-title" });
  private readonly list = h("ul", { class: "waters-list" });
  private readonly element = h(
    "section",
    { class: "waters", id: "waters", "aria-labelledby": "waters-title" },
    h("div", { class: "panel-head" }, this.title),
    this.list,
  );
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(private readonly store: Store) {
    byId("problems").append(this.element);
  }

  draw(changes: Changes): void {
    if (changes.list || changes.towns) this.relist();
    else for (const id of changes.devices) this.fill(id);
  }

  /** Gauges of the chosen town, by town and name. */
  relist(): void {
    setText(this.title, t("watersTitle"));
    const { town } = this.store.filter;
    const order = new Map(this.store.towns.map((other, place) => [other.id, place]));
    const gauges = [...this.store.devices.values()].filter(
      (entry) => entry.state !== "retired" && (!town || entry.town === town) && levelOf(entry),
    );
    gauges.sort((a, b) => (order.get(a.town) ?? 9) - (order.get(b.town) ?? 9) || a.folded.localeCompare(b.folded));
    this.element.hidden = gauges.length === 0;
    const wanted = gauges.map((entry) => entry.id).join();
    if (this.list.dataset["devices"] !== wanted) {
      this.list.dataset["devices"] = wanted;
      this.buttons.clear();
      this.list.replaceChildren(...gauges.map((entry) => this.item(entry)));
    }
    for (const entry of gauges) this.fill(entry.id);
  }

  private item(entry: Entry): HTMLElement {
    const button = h(
      "button",
      { type: "button", class: "water", "data-gauge": entry.id },
      h("span", { class: "state-icon" }),
      h(
        "span",
        { class: "water-name" },
        h("span", { class: "line" }, entry.site.name),
        h("span", { class: "small muted" }),
      ),
      h("span", { class: "figure" }),
      h("time", { class: "age" }),
    );
    button.addEventListener("click", () => this.store.select(entry.id));
    this.buttons.set(entry.id, button);
    return h("li", {}, button);
  }

  private fill(id: string): void {
    const button = this.buttons.get(id);
    const entry = this.store.devices.get(id);
    const level = entry && levelOf(entry);
    if (!button || !entry || !level) return;
    const [sign, name, figure, age] = [...button.children] as HTMLElement[];
    if (!sign || !name || !figure || !age) return;
    if (button.dataset["state"] !== entry.state) {
      button.dataset["state"] = entry.state;
      sign.replaceChildren(icon(entry.state), h("span", { class: "visually-hidden" }, t(`state.${entry.state}`)));
    }
    const town = this.store.towns.find((other) => other.id === entry.town);
    const flag = level.quality & 3 ? ` · ${t(level.quality & 2 ? "quality2" : "quality1")}` : "";
    setText(name.lastElementChild as HTMLElement, `${town ? pick(town.name) : entry.town}${flag}`);
    setText(figure, valueWithUnit(level));
    setAge(age, level.phenomenon_time);
  }
}

const levelOf = (entry: Entry): Value | undefined => entry.latest.find((value) => value.property === LEVEL);
