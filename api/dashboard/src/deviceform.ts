import { choice, field, form, pressed } from "./forms";
import { pick, t } from "./i18n";
import { profileChoice } from "./profiles";
import { acceptKnock, addDevice, type Knock } from "./registry";
import { may } from "./rights";
import { ID, SiteChoice } from "./sitechoice";
import { h } from "./dom";
import type { Town } from "./types";

/** Registers a device that knocked: where it stands, what it is, what people call it. */
export function acceptForm(knock: Knock, done: (device: string) => void, cancel: () => void): HTMLFormElement {
  const prefix = `accept-${knock.device}`;
  const site = new SiteChoice(prefix);
  const profile = profileChoice(knock.guesses[0]?.profile, `${prefix}-profile`);
  const name = h("input", { id: `${prefix}-name`, required: true, maxlength: 200, value: knock.device });
  const fields = [site.element, field(t("profile"), profile), field(t("fieldName"), name)];
  const accept = async (): Promise<void> => {
    const where = await site.take();
    const wish = { site: where, profile: profile.value, name: name.value.trim() };
    done((await acceptKnock(knock.device, knock.town, wish)).id);
  };
  void site.setTown(knock.town);
  return form(prefix, t("accept"), fields, accept, pressed(t("cancel"), cancel));
}

/** Registers a device before it sends anything. */
export function newDeviceForm(towns: readonly Town[], done: (device: string) => void): HTMLFormElement {
  const own = towns.filter((town) => may("engineer", town.id));
  const site = new SiteChoice("new");
  const town = choice(
    own.map((each) => [each.id, pick(each.name)] as const),
    { id: "new-town" },
  );
  const id = h("input", { id: "new-id", ...ID, required: true, placeholder: `${own[0]?.id ?? ""}-` });
  const profile = profileChoice(undefined, "new-profile");
  const name = h("input", { id: "new-name", required: true, maxlength: 200 });
  town.addEventListener("change", () => {
    id.placeholder = `${town.value}-`;
    void site.setTown(town.value);
  });
  void site.setTown(town.value);
  return form(
    "new-device",
    t("register"),
    [
      field(t("townSwitch"), town),
      field(t("fieldId"), id, t("idHelp")),
      field(t("profile"), profile),
      field(t("fieldName"), name),
      site.element,
    ],
    async () => {
      const where = await site.take();
      const wish = { site: where, profile: profile.value, name: name.value.trim() };
      done((await addDevice(id.value.trim(), wish)).id);
    },
  );
}
