import { ageS, nowMs } from "./clock";
import { language, pick, t } from "./i18n";
import { UNITS, WORDS } from "./strings";
import type { Value } from "./types";

const ZONE = "Asia/Ho_Chi_Minh";
const LOCALES = { vi: "vi-VN", en: "en-GB" } as const;
const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: (locale: string) => T): T {
  const full = `${language()} ${key}`;
  let format = cache.get(full);
  if (!format) cache.set(full, (format = make(LOCALES[language()])));
  return format as T;
}

export const count = (n: number): string => cached("count", (locale) => new Intl.NumberFormat(locale)).format(n);

/** A value with as many digits as its size and unit make sense of: levels in metres to the centimetre. */
export function number(value: number, unit: string): string {
  const size = Math.abs(value);
  const most = unit === "m" || size < 10 ? 2 : size < 10_000 ? 1 : 0;
  const least = unit === "m" ? 2 : 0;
  return cached(
    `number ${least} ${most}`,
    (locale) => new Intl.NumberFormat(locale, { minimumFractionDigits: least, maximumFractionDigits: most }),
  ).format(value);
}

/** A UCUM unit as people write it. */
export function unit(code: string): string {
  const known = UNITS[code];
  if (known === undefined) return code.replace(/\{([^}]*)\}/g, "$1");
  return typeof known === "string" ? known : pick(known);
}

/** The word of an enumeration's number, else the number. */
export function valueText(property: string, value: number, code: string): string {
  const word = WORDS[property]?.[value];
  return word ? pick(word) : number(value, code);
}

export function valueWithUnit(value: Pick<Value, "property" | "value" | "unit">): string {
  return `${valueText(value.property, value.value, value.unit)} ${unit(value.unit)}`.trim();
}

/** Seconds as one rounded-down step: 59 s, 59 min, 23 h, then days. */
export function duration(seconds: number): string {
  if (seconds < 60) return t("age.s", { n: Math.floor(seconds) });
  if (seconds < 3600) return t("age.min", { n: Math.floor(seconds / 60) });
  if (seconds < 86_400) return t("age.h", { n: Math.floor(seconds / 3600) });
  return t("age.d", { n: Math.floor(seconds / 86_400) });
}

/** How long ago, "vừa xong" below a second; a dash where there is no time. */
export function age(time: string | null | undefined): string {
  const seconds = ageS(time);
  if (seconds === null) return "–";
  return seconds < 1 ? t("age.now") : duration(seconds);
}

/** Clock time in the towns' zone. */
export const clockTime = (time: string | number | Date): string =>
  cached(
    "clock",
    (locale) =>
      new Intl.DateTimeFormat(locale, {
        timeZone: ZONE,
        hour: "2-digit",
        minute: "2-digit",
        second: "2-digit",
        hourCycle: "h23",
      }),
  ).format(new Date(time));

/** Date and clock time in the towns' zone, day before month. */
export const dateTime = (time: string | number | Date): string => `${day(time)} ${clockTime(time)}`;

export const day = (time: string | number | Date): string =>
  cached(
    "day",
    (locale) => new Intl.DateTimeFormat(locale, { timeZone: ZONE, day: "2-digit", month: "2-digit" }),
  ).format(new Date(time));

/** Clock time alone for today, with the date for any other day: "07:15" of yesterday misleads. */
export function observedTime(time: string): string {
  return day(time) === day(nowMs()) ? clockTime(time) : `${day(time)} ${clockTime(time).slice(0, 5)}`;
}

/** Properties that add up over their period: without it the figure says nothing. */
const AMOUNTS: ReadonlySet<string> = new Set(["vehicle-count", "rainfall"]);

/** The unit of a datastream's value, for amounts with the period they fell in: "mm trong 5 phút". */
export function unitOver(property: string, code: string, periodS: number | null | undefined): string {
  if (!AMOUNTS.has(property) || !periodS) return unit(code);
  const what = property === "vehicle-count" ? t("vehicles") : unit(code);
  return t("perPeriod", { unit: what, period: duration(periodS) });
}
