import { ApiError } from "./api";
import { dateTime } from "./format";
import { t } from "./i18n";
import type { StringKey } from "./strings";

/** What the API says, by status and words, and what the operator reads instead; the groups fill the gaps. */
const WORDS: readonly [number, RegExp, StringKey][] = [
  [400, /this is no claim code/, "no.misread"],
  [404, /this claim code/, "no.codeUnknown"],
  [409, /was claimed by (?<by>.+) at (?<when>\S+);/, "no.claimed"],
  [409, /'(?<what>[^']+)' is retired/, "no.retired"],
  [409, /'(?<what>[^']+)' is taken/, "no.taken"],
  [409, /this name cannot be taken/, "no.nameTaken"],
  [409, /registered in another town/, "no.otherTown"],
  [404, /no device '(?<what>[^']+)' knocked/, "no.knockGone"],
  [404, /there is no device '(?<what>[^']+)'/, "no.device"],
  [404, /there is no such device in service/, "no.inService"],
  [400, /is a name of the platform's own/, "no.reserved"],
];

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

/** Why the server refused, in the words of who reads the page; what it says beyond that stands after it, in English. */
export function complaint(error: unknown): string {
  if (!(error instanceof ApiError)) return t("no.other", { detail: String(error) });
  for (const [status, words, key] of WORDS) {
    const found = error.status === status && words.exec(error.message);
    if (found) {
      const gaps = { ...found.groups };
      if (gaps["when"]) gaps["when"] = dateTime(gaps["when"]);
      return t(key, gaps);
    }
  }
  if (error.status === 400 && error.errors.length > 0) {
    const fields = error.errors.map(({ name, detail }) => {
      const known = FIELDS[name.split(".")[0] ?? ""];
      return t("no.field", { field: known ? t(known) : name, detail });
    });
    return fields.join(" ");
  }
  const known = BY_STATUS[error.status];
  return known ? t(known) : t("no.other", { detail: error.message });
}
