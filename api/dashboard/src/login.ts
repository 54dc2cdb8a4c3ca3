import { ApiError, logIn } from "./api";
import { byId, h, setText } from "./dom";
import { t } from "./i18n";

/** Asks for the access token when the API answers 401. */
export class LoginView {
  private readonly dialog = byId<HTMLDialogElement>("login");
  private readonly title = h("h2", { id: "login-title" });
  private readonly help = h("p", { class: "muted", id: "login-help" });
  private readonly label = h("label", { for: "token" });
  private readonly token = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 512,
    "aria-describedby": "login-help login-error",
  });
  private readonly error = h("p", { class: "login-error", id: "login-error", role: "alert" });
  private readonly button = h("button", { type: "submit", class: "primary" });

  constructor(private readonly onDone: () => void) {
    const form = h(
      "form",
      { method: "dialog" },
      this.title,
      this.help,
      this.label,
      this.token,
      this.error,
      this.button,
    );
    this.dialog.append(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.words();
  }

  words(): void {
    setText(this.title, t("loginTitle"));
    setText(this.help, t("loginHelp"));
    setText(this.label, t("token"));
    setText(this.button, t("loginButton"));
  }

  ask(): void {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.token.focus();
  }

  private async submit(): Promise<void> {
    this.button.disabled = true;
    setText(this.error, "");
    try {
      await logIn(this.token.value);
      this.token.value = "";
      this.dialog.close();
      this.onDone();
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      const detail = error instanceof ApiError && error.status !== 0 ? error.message : t("noAnswer");
      setText(this.error, refused ? t("loginWrong") : t("loginFailed", { detail }));
      this.token.focus();
    } finally {
      this.button.disabled = false;
    }
  }
}
