import type { Entry, Filter } from "./store";
import { fold, matches } from "./text";
import { STATES, type State } from "./types";

/** Whether a device is shown; one out of service only when it is asked for. */
export function admits(filter: Filter, entry: Entry): boolean {
  if (filter.town && entry.town !== filter.town) return false;
  if (filter.domain && entry.domain !== filter.domain) return false;
  if (filter.state ? entry.state !== filter.state : entry.state === "retired") return false;
  return filter.text === "" || matches(entry.folded, fold(filter.text));
}

const RANK = new Map<State, number>(STATES.map((state, place) => [state, place]));

export type Order = "state" | "name" | "age";

/** Compare two devices; every order ends in the id, so that rows never swap places without a reason. */
export function compare(order: Order, a: Entry, b: Entry): number {
  const first =
    order === "state"
      ? (RANK.get(a.state) ?? 9) - (RANK.get(b.state) ?? 9)
      : order === "name"
        ? a.folded.localeCompare(b.folded)
        : time(a.phenomenon_time) - time(b.phenomenon_time);
  return first || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

const time = (text: string | null): number => (text ? Date.parse(text) : 0);
