// The shapes of the HTTP contract, version 1, that the page reads. Times are RFC 3339 strings in UTC.

export type State = "online" | "stale" | "offline" | "never-seen" | "retired";
export type Domain = "traffic" | "lighting" | "environment";
/** Each may do what those before it may. */
export type Role = "viewer" | "operator" | "engineer" | "administrator";
export type Language = "vi" | "en";
export type Bilingual = Record<Language, string>;
export type StateCounts = Partial<Record<State, number>>;

/** States worth a look first stand first. */
export const STATES: readonly State[] = ["offline", "stale", "never-seen", "online", "retired"];
export const STATES_IN_SERVICE: readonly State[] = ["online", "stale", "offline", "never-seen"];
export const DOMAINS: readonly Domain[] = ["environment", "traffic", "lighting"];

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Town {
  id: string;
  name: Bilingual;
  latitude: number;
  longitude: number;
  bbox: [number, number, number, number];
  devices: StateCounts;
}

export interface Headline {
  property: string;
  name: Bilingual;
  value: number | null;
  reason: string | null;
  unit: string;
  how: string;
  datastreams: number;
  of: number;
  oldest_phenomenon_time: string | null;
  newest_phenomenon_time: string | null;
}

/** 0 normal, 1 notice, 2 warning, 3 alarm, 4 emergency. */
export type Severity = 0 | 1 | 2 | 3 | 4;

/** An answer that was computed from readings: an index, a statistic, or the reading itself. */
export interface Figure {
  id: string;
  name: Bilingual;
  value: number | null;
  unit: string;
  text: Bilingual | null;
  level: { id: string; name: Bilingual; colour: string | null; severity: Severity } | null;
  reason: string | null;
  reason_text: Bilingual | null;
  obtained: "observed" | "window-statistics" | "index";
  formula: string | null;
  how: string;
  phenomenon_time: string | null;
  coverage: number | null;
  indicative: boolean;
}

export interface RankedSite {
  rank: number;
  site: Site;
  state: State;
  severity: Severity | null;
  figure: Figure;
}

export interface SiteDetail {
  site: Site;
  severity: Severity | null;
  figures: Figure[];
}

export interface DomainSummary {
  domain: Domain;
  date: string;
  complete: boolean;
  generated_time: string;
  /** Of the whole town. */
  figures: Figure[];
  /** Worst first, of `site_count` at most as many as were asked for. */
  sites: { site: Site; figures: Figure[] }[];
  site_count: number;
}

export interface DomainOverview {
  domain: Domain;
  devices: StateCounts;
  headlines: Headline[];
  figures: Figure[];
}

export interface Problem {
  device: string;
  name: string;
  domain: Domain;
  site: unknown;
  state: State;
  since: string | null;
}

export interface Overview {
  town: Town;
  generated_time: string;
  domains: DomainOverview[];
  problems: Problem[];
  problem_count: number;
}

export interface Value {
  datastream: string;
  name: string;
  property: string;
  label: Bilingual;
  value: number;
  unit: string;
  phenomenon_time: string;
  quality: number;
  age_s: number;
}

export interface Site {
  id: string;
  name: string;
  kind: string;
  latitude: number;
  longitude: number;
}

/** What a device says of itself; the value is null where nothing came yet. */
export interface Reported {
  value: number | null;
  unit: string;
  phenomenon_time: string | null;
}

export interface Device {
  id: string;
  name: string;
  town: string;
  domain: Domain;
  profile: string;
  site: Site;
  state: State;
  state_since: string | null;
  reporting_interval_s: number;
  phenomenon_time: string | null;
  received_time: string | null;
  latest?: Value[];
}

export interface Datastream {
  id: string;
  name: string;
  property: string;
  label: Bilingual;
  unit: string;
  interval_s: number | null;
  period_s: number | null;
  stamp: "end" | "start";
  lower_bound: number;
  upper_bound: number;
}

export interface DeviceDetail extends Device {
  /** Null: its profile has none. */
  battery: Reported | null;
  signal: Reported | null;
  commissioned_time: string | null;
  retired_time: string | null;
  datastreams: Datastream[];
}

export interface Rejection {
  received_time: string;
  reason: string;
  detail: string | null;
  topic: string;
  readings: number;
}

export interface Observation {
  phenomenon_time: string;
  value: number;
  quality: number;
}

export interface WindowStatistics {
  start: string;
  end: string;
  count: number;
  expected: number | null;
  mean: number | null;
  min: number | null;
  max: number | null;
  flagged: number;
}

export interface DeviceChange {
  id: string;
  town: string;
  domain: Domain;
  state: State;
  phenomenon_time: string | null;
  received_time: string | null;
  latest: Value[];
}

export interface Session {
  /** Null: not logged in. */
  role: Role | null;
  name: string | null;
  /** Town, or `*` for all of them -> role. */
  grants: Record<string, Role>;
  /** To be shown with every change; null: nobody logged in by this page. */
  csrf: string | null;
  open: boolean;
  /** Whether one can log in at the city's own provider. */
  openid: boolean;
}
