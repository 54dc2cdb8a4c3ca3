import { h, setText } from "./dom";
import { complaint, sentence } from "./complaint";
import { choice, field } from "./forms";
import { pick, t } from "./i18n";
import { addSite, sites, wards } from "./registry";

const NEW = "+";
const KINDS = ["station", "pole", "cabinet", "junction", "gauge", "bridge"] as const;
const TYPING_MS = 250;

/** Where a device stands: one of its town's sites, found by words, or a new one that is made on the way. */
export class SiteChoice {
  readonly element: HTMLElement;
  private readonly search: HTMLInputElement;
  private readonly list: HTMLSelectElement;
  private readonly note = h("span", { class: "small muted", role: "status" });
  private readonly id: HTMLInputElement;
  private readonly name: HTMLInputElement;
  private readonly kind: HTMLSelectElement;
  private readonly latitude: HTMLInputElement;
  private readonly longitude: HTMLInputElement;
  private readonly ward: HTMLSelectElement;
  private readonly fresh: HTMLFieldSetElement;
  private town = "";
  private timer = 0;
  private asked = 0;

  constructor(prefix: string) {
    this.search = h("input", { type: "search", id: `${prefix}-site-search`, placeholder: t("siteSearch") });
    this.list = h("select", { id: `${prefix}-site`, required: true });
    this.id = h("input", { id: `${prefix}-site-id`, ...ID, required: true });
    this.name = h("input", { id: `${prefix}-site-name`, maxlength: 200, required: true });
    this.kind = choice(KINDS.map((kind) => [kind, t(`kind.${kind}`)] as const));
    this.latitude = h("input", { type: "number", step: "any", min: -90, max: 90, required: true, placeholder: "15.88" });
    this.longitude = h("input", {
      type: "number",
      step: "any",
      min: -180,
      max: 180,
      required: true,
      placeholder: "108.33",
    });
    this.ward = choice([["", t("noWard")]]);
    this.fresh = h(
      "fieldset",
      { class: "fresh-site", hidden: true, disabled: true },
      h("legend", {}, t("newSite")),
      field(t("fieldSiteId"), this.id, t("idHelp")),
      field(t("fieldName"), this.name),
      field(t("fieldKind"), this.kind),
      field(t("fieldLatitude"), this.latitude),
      field(t("fieldLongitude"), this.longitude),
      field(t("fieldWard"), this.ward),
    );
    this.element = h(
      "div",
      { class: "site-choice" },
      field(t("siteFind"), this.search),
      field(t("site"), this.list),
      this.note,
      this.fresh,
    );
    this.search.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.fill(), TYPING_MS);
    });
    this.list.addEventListener("change", () => this.turn());
  }

  async setTown(town: string): Promise<void> {
    this.town = town;
    const [known] = await Promise.all([wards(town).catch(() => []), this.fill()]);
    if (town !== this.town) return;
    this.ward.replaceChildren(
      h("option", { value: "" }, t("noWard")),
      ...known.map((ward) => h("option", { value: ward.id }, ward.name)),
    );
  }

  /** The id of the site chosen; a new one is made first. */
  async take(): Promise<string> {
    if (this.list.value !== NEW) return this.list.value;
    const made = await addSite({
      id: this.id.value.trim(),
      town: this.town,
      name: this.name.value.trim(),
      kind: this.kind.value,
      latitude: this.latitude.valueAsNumber,
      longitude: this.longitude.valueAsNumber,
      wards: this.ward.value ? [this.ward.value] : [],
    });
    // What follows may be refused: the site stands and is chosen now.
    this.search.value = made.id;
    await this.fill();
    this.list.value = made.id;
    this.turn();
    setText(this.note, made.warning_texts.map((text) => sentence(pick(text))).join(" "));
    return made.id;
  }

  private async fill(): Promise<void> {
    const asked = ++this.asked;
    try {
      const page = await sites(this.town, this.search.value.trim());
      if (asked !== this.asked) return;
      const chosen = this.list.value;
      this.list.replaceChildren(
        h("option", { value: "" }, t("choose")),
        h("option", { value: NEW }, t("newSiteOption")),
        ...page.items.map((site) => h("option", { value: site.id }, `${site.name} · ${site.id}`)),
      );
      const only = this.search.value.trim() && page.items.length === 1 ? page.items[0]?.id : undefined;
      this.list.value = page.items.some((site) => site.id === chosen) || chosen === NEW ? chosen : (only ?? "");
      setText(this.note, page.next ? t("moreSites", { n: page.items.length }) : "");
    } catch (error) {
      if (asked === this.asked) setText(this.note, complaint(error));
    }
    this.turn();
  }

  private turn(): void {
    const fresh = this.list.value === NEW;
    this.fresh.hidden = !fresh;
    this.fresh.disabled = !fresh;
  }
}

/** What an id may be: see IDENTIFIER_PATTERN in devices/models.py. */
export const ID = {
  type: "text",
  pattern: "[a-z0-9][a-z0-9\\-]{0,62}",
  maxlength: 63,
  autocapitalize: "none",
  autocomplete: "off",
  spellcheck: "false",
} as const;
