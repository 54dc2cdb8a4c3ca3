import { ageS } from "./clock";
import { fold } from "./text";
import type { Device, DeviceChange, Domain, Overview, State, Town, Value } from "./types";

/** A device as the page keeps it; `folded` is what the search looks in. */
export interface Entry extends Device {
  latest: Value[];
  folded: string;
}

export interface Filter {
  town: string | null;
  domain: Domain | null;
  state: State | null;
  text: string;
}

/** What changed since views were last drawn. `list`: which devices there are, their states, or the filter. */
export interface Changes {
  devices: Set<string>;
  list: boolean;
  towns: boolean;
  selection: boolean;
  /** A town, or all, was asked for: the map goes there, also when it was the same one. */
  place: boolean;
}

type Listener = (changes: Changes) => void;

const nothing = (): Changes => ({
  devices: new Set(),
  list: false,
  towns: false,
  selection: false,
  place: false,
});

/** What the page knows, and the one place that tells views to draw: at most once an animation frame. */
export class Store {
  readonly devices = new Map<string, Entry>();
  towns: Town[] = [];
  readonly overviews = new Map<string, Overview>();
  filter: Filter = { town: null, domain: null, state: null, text: "" };
  selected: string | null = null;
  /** Whether the stream runs: only then may a silent device be called stale. */
  live = false;

  private changes = nothing();
  private scheduled = false;
  private readonly listeners: Listener[] = [];

  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  mark(change: Partial<Omit<Changes, "devices">>): void {
    Object.assign(this.changes, change);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      const changes = this.changes;
      this.changes = nothing();
      this.scheduled = false;
      for (const listener of this.listeners) listener(changes);
    });
  }

  setTowns(towns: Town[]): void {
    this.towns = towns;
    this.mark({ towns: true });
  }

  setOverview(overview: Overview): void {
    this.overviews.set(overview.town.id, overview);
    this.mark({ towns: true });
  }

  /** Take devices of a listing; one that the stream has told newer things about keeps them. */
  addDevices(devices: readonly Device[]): void {
    for (const device of devices) {
      const known = this.devices.get(device.id);
      const keepKnown = known && isNewer(known.received_time, device.received_time);
      const entry: Entry = {
        ...device,
        latest: device.latest ?? [],
        folded: fold(`${device.id} ${device.name} ${device.site.name}`),
        ...(keepKnown ? pick(known) : {}),
      };
      this.devices.set(device.id, entry);
      this.changes.devices.add(device.id);
    }
    this.mark({ list: true });
  }

  /** Drop devices that a complete listing no longer names. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.devices.keys()) if (!ids.has(id)) this.devices.delete(id);
    this.mark({ list: true });
  }

  /** Take a change of the stream. Answers false for a device that the page has never heard of. */
  apply(change: DeviceChange): boolean {
    const entry = this.devices.get(change.id);
    if (!entry) return false;
    if (isNewer(entry.received_time, change.received_time)) return true;
    const moved = entry.state !== change.state;
    entry.state = change.state;
    entry.phenomenon_time = change.phenomenon_time;
    entry.received_time = change.received_time;
    entry.latest = mergeLatest(entry.latest, change.latest);
    this.changes.devices.add(change.id);
    this.mark(moved ? { list: true, towns: true } : {});
    return true;
  }

  /** Devices fall silent without an event: apply the platform's own rule to those that came to be due. */
  age(): void {
    if (!this.live) return;
    let moved = false;
    for (const entry of this.devices.values()) {
      const state = silentState(entry);
      if (state === entry.state) continue;
      entry.state = state;
      this.changes.devices.add(entry.id);
      moved = true;
    }
    if (moved) this.mark({ list: true, towns: true });
  }

  select(id: string | null): void {
    if (this.selected === id) return;
    if (this.selected) this.changes.devices.add(this.selected);
    if (id) this.changes.devices.add(id);
    this.selected = id;
    this.mark({ selection: true });
  }

  setFilter(part: Partial<Filter>): void {
    this.filter = { ...this.filter, ...part };
    this.mark({ list: true, towns: true, ...("town" in part ? { place: true } : {}) });
  }
}

/** The state a device has by its silence alone (device_live has the rule); never better than it was. */
export function silentState(
  entry: Pick<Device, "state" | "state_since" | "reporting_interval_s" | "phenomenon_time" | "received_time">,
): State {
  if (entry.state !== "online" && entry.state !== "stale") return entry.state;
  const word = entry.state === "online" ? ageS(entry.state_since) : null;
  const heard = Math.min(ageS(entry.received_time) ?? Infinity, word ?? Infinity);
  const observed = ageS(entry.phenomenon_time) ?? Infinity;
  if (heard > Math.max(10 * entry.reporting_interval_s, 3600)) return "offline";
  return observed > 3 * entry.reporting_interval_s ? "stale" : entry.state;
}

function isNewer(a: string | null, b: string | null): boolean {
  if (!a) return false;
  return !b || Date.parse(a) > Date.parse(b);
}

const pick = (entry: Entry): Partial<Entry> => ({
  state: entry.state,
  phenomenon_time: entry.phenomenon_time,
  received_time: entry.received_time,
  latest: entry.latest,
});

/** Values side by side: a change may name only some datastreams, and never moves one back in time. */
function mergeLatest(known: Value[], changed: Value[]): Value[] {
  if (changed.length === 0) return known;
  const byId = new Map(changed.map((value) => [value.datastream, value]));
  const merged = known.map((old) => {
    const fresh = byId.get(old.datastream);
    byId.delete(old.datastream);
    return fresh && !isNewer(old.phenomenon_time, fresh.phenomenon_time) ? fresh : old;
  });
  return [...merged, ...byId.values()];
}
