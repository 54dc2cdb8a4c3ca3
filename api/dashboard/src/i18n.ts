import { STRINGS, type StringKey } from "./strings";
import type { Bilingual, Language } from "./types";

const STORED = "thubon.language";
const listeners: (() => void)[] = [];

let current: Language = localStorage.getItem(STORED) === "en" ? "en" : "vi";

export const language = (): Language => current;

export function setLanguage(next: Language): void {
  if (next === current) return;
  current = next;
  localStorage.setItem(STORED, next);
  for (const listener of listeners) listener();
}

export function onLanguage(listener: () => void): void {
  listeners.push(listener);
}

/** A text in the chosen language with its `{gaps}` filled. */
export function t(key: StringKey, gaps: Record<string, string | number> = {}): string {
  return STRINGS[key][current].replace(/\{(\w+)\}/g, (whole, name: string) => String(gaps[name] ?? whole));
}

export const pick = (text: Bilingual): string => text[current];
