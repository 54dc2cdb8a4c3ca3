import list from "./assets/profiles.json";
import { h } from "./dom";
import { pick, t } from "./i18n";
import { DOMAINS, type Bilingual } from "./types";

interface Profile {
  id: string;
  domain: string;
  name: Bilingual;
}

const PROFILES: readonly Profile[] = list;

/** The name of a device profile; its id where the page does not know it. */
export function profileName(id: string): string {
  const profile = PROFILES.find((other) => other.id === id);
  return profile ? pick(profile.name) : id;
}

/** The profiles of the catalogue by domain; nothing is chosen unless it is said. */
export function profileChoice(chosen: string | undefined, id: string): HTMLSelectElement {
  const group = (domain: (typeof DOMAINS)[number]): HTMLElement =>
    h(
      "optgroup",
      { label: t(`domain.${domain}`) },
      ...PROFILES.filter((profile) => profile.domain === domain).map((profile) =>
        h("option", { value: profile.id, selected: profile.id === chosen }, `${pick(profile.name)} · ${profile.id}`),
      ),
    );
  return h(
    "select",
    { id, required: true },
    h("option", { value: "", selected: !chosen }, t("choose")),
    ...DOMAINS.map(group),
  );
}
