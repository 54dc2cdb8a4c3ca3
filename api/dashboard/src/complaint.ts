import { ApiError, type FieldError } from "./api";
import { dateTime } from "./format";
import { pick, t } from "./i18n";
import type { StringKey } from "./strings";

const BY_STATUS: Readonly<Record<number, StringKey>> = {
  0: "noAnswer",
  401: "no.session",
  403: "no.role",
  404: "no.found",
  412: "no.changed",
  413: "no.long",
  429: "no.often",
  500: "no.fault",
  503: "no.now",
};

/** Fields as the forms call them. */
const FIELDS: Readonly<Record<string, StringKey>> = {
  id: "fieldAnyId",
  device: "fieldId",
  site: "site",
  profile: "profile",
  name: "fieldName",
  display_name: "displayName",
  kind: "fieldKind",
  latitude: "fieldLatitude",
  longitude: "fieldLongitude",
  wards: "fieldWard",
  code: "codeField",
  password: "password",
  grants: "grants",
  expires_time: "expires",
  search: "searchField",
};

/** Rows of a file, as an import names them among its errors. */
const ROW = /^line (?<line>\d+)(?:, (?<column>.+))?$/;

/** Why the server refused, in the words of who reads the page; English where it has words of no other language. */
export function complaint(error: unknown): string {
  if (!(error instanceof ApiError)) return t("no.other", { detail: String(error) });
  const { code, parameters, text } = error.told;
  if (code === "claimed-already" && parameters) {
    return t("no.claimed", { by: String(parameters["by"]), when: dateTime(String(parameters["when"])) });
  }
  if (error.status === 400 && error.errors.length > 0) return error.errors.map(wrong).join(" ");
  if (text) return sentence(pick(text));
  const known = BY_STATUS[error.status];
  return known ? t(known) : t("no.other", { detail: error.message });
}

/** A text with a capital and a full stop. */
export const sentence = (text: string): string =>
  text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function wrong({ name, detail, text }: FieldError): string {
  const row = ROW.exec(name)?.groups;
  const known = FIELDS[name.split(".")[0] ?? ""];
  const field = row
    ? [`${t("colLine")} ${row["line"] ?? ""}`, row["column"]].filter(Boolean).join(", ")
    : known
      ? t(known)
      : name;
  return t("no.field", { field, detail: text ? pick(text) : detail });
}
