import { ApiError, logIn } from "./api";
import { byId, h, setText } from "./dom";
import { t } from "./i18n";

/** Asks for name and password when the API answers 401, and offers the city's own log-in where there is one. */
export class LoginView {
  private readonly dialog = byId<HTMLDialogElement>("login");
  private readonly title = h("h2", { id: "login-title" });
  private readonly help = h("p", { class: "muted", id: "login-help" });
  private readonly nameLabel = h("label", { for: "user-name" });
  private readonly name = h("input", {
    id: "user-name",
    type: "text",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    maxlength: 63,
    "aria-describedby": "login-help login-error",
  });
  private readonly passwordLabel = h("label", { for: "password" });
  private readonly password = h("input", {
    id: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 200,
    "aria-describedby": "login-help login-error",
  });
  private readonly error = h("p", { class: "login-error", id: "login-error", role: "alert" });
  private readonly button = h("button", { type: "submit", class: "primary" });
  private readonly openId = h("a", { id: "login-openid", href: "/v1/session/openid", hidden: true });

  private must = true;

  constructor(private readonly onDone: () => void) {
    const form = h(
      "form",
      { method: "dialog" },
      this.title,
      this.help,
      this.nameLabel,
      this.name,
      this.passwordLabel,
      this.password,
      this.error,
      this.button,
      this.openId,
    );
    this.dialog.append(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.dialog.addEventListener("cancel", (event) => this.must && event.preventDefault());
    this.words();
  }

  words(): void {
    setText(this.title, t("loginTitle"));
    setText(this.help, t("loginHelp"));
    setText(this.nameLabel, t("userName"));
    setText(this.passwordLabel, t("password"));
    setText(this.button, t("loginButton"));
    setText(this.openId, t("loginOpenId"));
  }

  /** Opens the dialog; `openId`: whether the city's own log-in can be used; `must`: without one there is no page. */
  ask(openId: boolean, must = true): void {
    this.must = must;
    this.openId.hidden = !openId;
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.name.focus();
  }

  private async submit(): Promise<void> {
    this.button.disabled = true;
    setText(this.error, "");
    try {
      await logIn(this.name.value.trim(), this.password.value);
      this.password.value = "";
      this.dialog.close();
      this.onDone();
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      const detail = error instanceof ApiError && status !== 0 ? error.message : t("noAnswer");
      const words = status === 401 ? t("loginWrong") : status === 429 ? t("loginWait") : t("loginFailed", { detail });
      setText(this.error, words);
      this.password.focus();
    } finally {
      this.button.disabled = false;
    }
  }
}
