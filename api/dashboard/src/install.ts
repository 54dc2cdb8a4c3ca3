import { newDeviceForm } from "./deviceform";
import { h } from "./dom";
import { field, form, secret } from "./forms";
import { t } from "./i18n";
import { importView } from "./importview";
import { KnocksPart } from "./knocks";
import { ProgressView } from "./progress";
import { claim } from "./registry";
import { may, mayAnywhere } from "./rights";
import { Sheet, type Part } from "./sheet";
import { ID } from "./sitechoice";
import type { Store } from "./store";

/** At the pole: the code on the label, the password it gives, and how far the device is. */
class PolePart implements Part {
  readonly id = "pole";
  readonly title = "poleTitle";
  readonly element = h("section", { class: "sheet-part", id: "pole", hidden: true });
  private readonly told = h("div", { role: "status" });
  private readonly progress: ProgressView;
  private next: string | null = null;

  constructor(store: Store, onLook: (device: string) => void) {
    this.progress = new ProgressView((device) => {
      const town = store.devices.get(device)?.town;
      // A device the page has not loaded yet was made a moment ago, by who may.
      return town === undefined ? mayAnywhere("engineer") : may("engineer", town);
    }, onLook);
  }

  /** Which device to show when this part comes next. */
  follow(device: string): void {
    this.next = device;
  }

  show(): void {
    this.told.replaceChildren();
    const forms = [this.watchForm()];
    if (mayAnywhere("engineer")) forms.unshift(this.claimForm());
    this.element.replaceChildren(h("div", { class: "pole-forms" }, ...forms), this.told, this.progress.element);
    if (this.next) this.progress.follow(this.next);
    this.next = null;
  }

  hide(): void {
    this.progress.clear();
    this.told.replaceChildren();
  }

  private claimForm(): HTMLFormElement {
    const code = h("input", {
      id: "claim-code",
      required: true,
      maxlength: 40,
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      placeholder: "7K3M-9PQX-4T",
    });
    return form("claim", t("claim"), [field(t("codeField"), code, t("codeHelp"))], async () => {
      const claimed = await claim(code.value);
      code.value = "";
      const { credential } = claimed;
      this.told.replaceChildren(
        credential
          ? h(
              "div",
              { class: "told-once", id: "told-once" },
              h("p", {}, h("strong", {}, t("passwordOnce"))),
              secret(t("userName"), credential.user_name, t("copy"), "claim-user"),
              secret(t("password"), credential.password, t("copy"), "claim-password"),
            )
          : h("p", { class: "cure", id: "told-once" }, t("hasCredential")),
      );
      this.progress.follow(claimed.device);
    });
  }

  private watchForm(): HTMLFormElement {
    const id = h("input", { id: "watch-id", ...ID, required: true });
    return form("watch", t("watch"), [field(t("fieldId"), id, t("watchHelp"))], async () => {
      this.told.replaceChildren();
      this.progress.follow(id.value.trim());
      return Promise.resolve();
    });
  }
}

/** Registers a device before it sends. */
class NewDevicePart implements Part {
  readonly id = "new";
  readonly title = "newDeviceTitle";
  readonly element = h("section", { class: "sheet-part", id: "new-part", hidden: true });

  constructor(
    private readonly store: Store,
    private readonly made: (device: string) => void,
  ) {}

  show(): void {
    this.element.replaceChildren(
      h("p", { class: "muted" }, t("newDeviceHelp")),
      newDeviceForm(this.store.towns, this.made),
      importView(),
    );
  }

  hide(): void {
    this.element.replaceChildren();
  }
}

/** The installer's day: who knocks, what is new, and the way of one device to its first reading. */
export function installSheet(store: Store): Sheet {
  const look = (device: string): void => {
    sheet.shut();
    store.select(device);
  };
  const pole = new PolePart(store, look);
  const follow = (device: string): void => {
    pole.follow(device);
    sheet.open("pole");
  };
  const parts: Part[] = [new KnocksPart(store, follow)];
  if (mayAnywhere("engineer")) parts.push(new NewDevicePart(store, follow));
  parts.push(pole);
  const sheet = new Sheet("install", "installTitle", parts);
  return sheet;
}
