import { complaint } from "./complaint";
import { nowMs } from "./clock";
import { h, setText } from "./dom";
import { field, form, secret, twice } from "./forms";
import { dateTime } from "./format";
import { GrantsField, grantWords } from "./grants";
import { t } from "./i18n";
import { Listing } from "./listing";
import { addKey, keys, revokeKey, type ApiKey } from "./people";
import type { Part } from "./sheet";
import type { Store } from "./store";

const DAY_MS = 86_400_000;
const LIFE_DAYS = 365;
const LIFE_DAYS_MAX = 730;
const DAYS_END = "T23:59:59+07:00";

/** Keys of programs: what each may, until when, and when it was used last. */
export class KeysPart implements Part {
  readonly id = "keys";
  readonly title = "keysTitle";
  readonly element = h("section", { class: "sheet-part", id: "keys", hidden: true });

  constructor(private readonly store: Store) {}

  show(): void {
    const told = h("div", { role: "status" });
    const listing = new Listing<ApiKey>("key-list", keys, (key) => this.item(key), t("keysNone"));
    const name = h("input", { id: "key-name", required: true, maxlength: 100 });
    const expires = h("input", {
      id: "key-expires",
      type: "date",
      required: true,
      min: dayAfter(1),
      max: dayAfter(LIFE_DAYS_MAX),
      value: dayAfter(LIFE_DAYS),
    });
    const grants = new GrantsField("key", this.store.towns);
    const fields = [field(t("keyName"), name), field(t("expires"), expires), grants.element];
    const make = form("key-new", t("createKey"), fields, async () => {
      const made = await addKey(name.value.trim(), grants.take(), new Date(`${expires.value}${DAYS_END}`));
      told.replaceChildren(
        h(
          "div",
          { class: "told-once" },
          h("p", {}, h("strong", {}, t("keyOnce"))),
          secret(t("key"), made.key, t("copy"), "key-told"),
        ),
      );
      make.reset();
      void listing.load();
    });
    this.element.replaceChildren(
      h("details", { class: "folded" }, h("summary", { id: "key-new-open" }, t("newKey")), make),
      told,
      listing.element,
    );
    void listing.load();
  }

  hide(): void {
    this.element.replaceChildren();
  }

  private item(key: ApiKey): HTMLElement {
    const error = h("p", { class: "form-error", role: "alert" });
    const ended = Date.parse(key.expires_time) <= nowMs();
    const life = key.revoked_time
      ? t("revokedAt", { time: dateTime(key.revoked_time) })
      : t(ended ? "expiredAt" : "expiresAt", { time: fullDate(key.expires_time) });
    const used = key.last_used_time
      ? `${t("lastUsed")}: ${dateTime(key.last_used_time)}${key.last_used_address ? ` (${key.last_used_address})` : ""}`
      : t("neverUsed");
    const row = h(
      "li",
      { "data-key": key.name, "data-ended": String(ended || key.revoked_time !== null) },
      h("div", { class: "line" }, h("strong", {}, key.name), " ", h("code", {}, `${key.beginning}…`)),
      h("p", {}, grantWords(key.grants, this.store.towns)),
      h("p", { class: "small muted" }, [life, used, `${t("madeBy")} ${key.created_by}`].join(" · ")),
      key.revoked_time || ended
        ? null
        : twice(t("revoke"), t("revokeSure"), () => {
            revokeKey(key.id).then(
              (revoked) => row.replaceWith(this.item(revoked)),
              (refusal: unknown) => setText(error, complaint(refusal)),
            );
          }),
      error,
    );
    return row;
  }
}

/** The day so many days from now, as a date field has it. */
const dayAfter = (days: number): string => new Date(nowMs() + days * DAY_MS).toISOString().slice(0, 10);

const fullDate = (time: string): string =>
  new Intl.DateTimeFormat("vi-VN", { timeZone: "Asia/Ho_Chi_Minh", dateStyle: "short" }).format(new Date(time));
