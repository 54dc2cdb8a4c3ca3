import { h } from "./dom";
import { field, form, pressed } from "./forms";
import { dateTime } from "./format";
import { GrantsField, grantWords } from "./grants";
import { t } from "./i18n";
import { Listing } from "./listing";
import { addUser, changeUser, users, type User, type UserChange } from "./people";
import type { Part } from "./sheet";
import type { Store } from "./store";

/** As the server wants them: api/accounts.py. */
const PASSWORD_MIN = 12;
const PASSWORD_MAX = 200;

/** Who may log in, and with what roles. */
export class UsersPart implements Part {
  readonly id = "users";
  readonly title = "usersTitle";
  readonly element = h("section", { class: "sheet-part", id: "users", hidden: true });

  constructor(private readonly store: Store) {}

  show(): void {
    const said = h("p", { class: "muted", role: "status", id: "user-said" });
    const listing = new Listing<User>("user-list", users, (user) => this.item(user));
    const made = (user: User): void => {
      said.textContent = t("saved", { name: user.name });
      fresh.replaceWith((fresh = this.fresh(made)));
      void listing.load();
    };
    let fresh = this.fresh(made);
    this.element.replaceChildren(fresh, said, listing.element);
    void listing.load();
  }

  hide(): void {
    this.element.replaceChildren();
  }

  private fresh(made: (user: User) => void): HTMLDetailsElement {
    const name = h("input", {
      id: "user-new-name",
      required: true,
      pattern: "[a-z0-9][a-z0-9._@\\-]{0,62}",
      maxlength: 63,
      autocapitalize: "none",
      autocomplete: "off",
      spellcheck: "false",
    });
    const shown = h("input", { id: "user-new-display", required: true, maxlength: 100 });
    const password = passwordInput("user-new-password", true);
    const grants = new GrantsField("user-new", this.store.towns);
    const fields = [
      field(t("userName"), name, t("userHelp")),
      field(t("displayName"), shown),
      field(t("password"), password, t("passwordHelp", { n: PASSWORD_MIN })),
      grants.element,
    ];
    const element = form("user-new", t("createUser"), fields, async () => {
      const wish = { name: name.value, display_name: shown.value.trim(), password: password.value };
      made(await addUser({ ...wish, grants: grants.take() }));
    });
    return h("details", { class: "folded" }, h("summary", { id: "user-new-open" }, t("newUser")), element);
  }

  private item(user: User): HTMLElement {
    const facts = [
      user.disabled_time ? t("disabledSince", { time: dateTime(user.disabled_time) }) : null,
      `${t("lastLogin")}: ${user.last_login_time ? dateTime(user.last_login_time) : t("never")}`,
    ];
    const row = h(
      "li",
      { "data-user": user.name, "data-disabled": String(user.disabled_time !== null) },
      h("div", { class: "line" }, h("strong", {}, user.display_name), " ", h("code", {}, user.name)),
      h("p", {}, grantWords(user.grants, this.store.towns)),
      h("p", { class: "small muted" }, facts.filter(Boolean).join(" · ")),
      pressed(t("edit"), () => row.replaceWith(this.editor(user)), { class: "plain edit" }),
    );
    return row;
  }

  private editor(user: User): HTMLElement {
    const prefix = `user-${user.name}`;
    const shown = h("input", { id: `${prefix}-display`, required: true, maxlength: 100, value: user.display_name });
    const password = passwordInput(`${prefix}-password`, false);
    const disabled = h("input", { type: "checkbox", id: `${prefix}-disabled`, checked: user.disabled_time !== null });
    const grants = new GrantsField(prefix, this.store.towns, user.grants);
    const before = JSON.stringify(grants.take());
    const fields = [
      field(t("displayName"), shown),
      field(t("newPassword"), password, t("keepPassword")),
      h("label", { class: "tick" }, disabled, t("disabled")),
      grants.element,
    ];
    // Only what is to be different: the rest may be another administrator's.
    const save = async (): Promise<void> => {
      const change: UserChange = {};
      if (shown.value.trim() !== user.display_name) change.display_name = shown.value.trim();
      if (password.value) change.password = password.value;
      if (disabled.checked !== (user.disabled_time !== null)) change.disabled = disabled.checked;
      if (JSON.stringify(grants.take()) !== before) change.grants = grants.take();
      row.replaceWith(this.item(await changeUser(user.name, change)));
    };
    const cancel = pressed(t("cancel"), () => row.replaceWith(this.item(user)));
    const edit = form(prefix, t("save"), fields, save, cancel);
    const row = h("li", { "data-user": user.name }, h("div", { class: "line" }, h("code", {}, user.name)), edit);
    return row;
  }
}

const passwordInput = (id: string, required: boolean): HTMLInputElement =>
  h("input", {
    id,
    type: "password",
    autocomplete: "new-password",
    required,
    minlength: PASSWORD_MIN,
    maxlength: PASSWORD_MAX,
  });
