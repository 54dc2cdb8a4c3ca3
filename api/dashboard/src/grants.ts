import { choice, field } from "./forms";
import { h } from "./dom";
import { pick, t } from "./i18n";
import type { Grants } from "./people";
import { ROLES, may, mayInAll } from "./rights";
import type { Role, Town } from "./types";

/** Roles by town, of the towns one administers. */
export class GrantsField {
  readonly element: HTMLFieldSetElement;
  private readonly lists = new Map<string, HTMLSelectElement>();

  constructor(prefix: string, towns: readonly Town[], granted: Grants = {}) {
    const own = towns.filter((town) => may("administrator", town.id));
    const rows = own.map((town): [string, string] => [town.id, pick(town.name)]);
    if (mayInAll("administrator")) rows.unshift(["*", t("everyTown")]);
    const roles = [["", t("role.none")], ...ROLES.map((role) => [role, t(`role.${role}`)])] as [string, string][];
    this.element = h(
      "fieldset",
      { class: "grants" },
      h("legend", {}, t("grants")),
      ...rows.map(([town, name]) => {
        const list = choice(roles, { id: `${prefix}-grant-${town === "*" ? "all" : town}` }, granted[town] ?? "");
        this.lists.set(town, list);
        return field(name, list);
      }),
    );
  }

  take(): Grants {
    const chosen = [...this.lists].filter(([, list]) => list.value !== "");
    return Object.fromEntries(chosen.map(([town, list]) => [town, list.value as Role]));
  }
}

/** Grants in words: "Hội An: kỹ sư". */
export function grantWords(grants: Grants, towns: readonly Town[]): string {
  const words = Object.entries(grants).map(([id, role]) => {
    const town = towns.find((other) => other.id === id);
    return `${id === "*" ? t("everyTown") : town ? pick(town.name) : id}: ${t(`role.${role}`)}`;
  });
  return words.length ? words.join(", ") : t("noGrants");
}
