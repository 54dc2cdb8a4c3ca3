import { change, get, segment, send, upload } from "./api";
import type { Bilingual, Page } from "./types";

/** A device that sends and that nobody registered. */
export interface Knock {
  device: string;
  town: string;
  reason: "unknown-device" | "wrong-town";
  gateway: string | null;
  first_time: string;
  last_time: string;
  messages: number;
  readings: number;
  kept: number;
  topic: string;
  sample_text: string | null;
  guesses: { profile: string; matching: string[]; unknown: string[] }[];
  refused_time: string | null;
  refused_by: string | null;
}

export interface KeptSite {
  id: string;
  town: string;
  name: string;
  kind: string;
}

export interface Ward {
  id: string;
  name: string;
  valid_to: string | null;
}

export interface NewSite {
  id: string;
  town: string;
  name: string;
  kind: string;
  latitude: number;
  longitude: number;
  wards: string[];
}

export interface NewDevice {
  site: string;
  profile: string;
  name: string;
}

export const STEPS = ["created", "labelled", "claimed", "heard", "done"] as const;

export interface Installation {
  device: string;
  step: (typeof STEPS)[number];
  labelled_time: string | null;
  claimed_time: string | null;
  claimed_by: string | null;
  heard_time: string | null;
  stored_time: string | null;
  refused_time: string | null;
  refused_reason: string | null;
  refused_detail: string | null;
}

export interface Claim {
  device: string;
  town: string;
  /** Null: it has one in force already. */
  credential: { user_name: string; password: string } | null;
}

/** Something in a file that must be mended, or looked at. */
export interface Fault {
  line: number;
  column: string;
  text: Bilingual;
}

interface Counts {
  created: number;
  changed: number;
  unchanged: number;
}

export interface Import {
  devices: Counts;
  sites: Counts;
  change_texts: Bilingual[];
  warnings: Fault[];
  faults: Fault[];
  fault_count: number;
}

const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/** Thousands of devices take their time. */
const IMPORT_WITHIN_MS = 180_000;

const path = (device: string): string => `/v1/devices/${segment(device)}`;

export const knocks = (refused: boolean, search: string): Promise<Page<Knock>> =>
  get("/v1/knocks", { limit: 100, refused, ...(search ? { search } : {}) });

export const acceptKnock = (device: string, town: string, wish: NewDevice): Promise<{ id: string }> =>
  send("POST", `/v1/knocks/${segment(device)}/accept`, { ...wish, town });

export const decideKnock = (device: string, town: string, decision: "refuse" | "forgive"): Promise<Response> =>
  change("POST", `/v1/knocks/${segment(device)}/${decision}`, { town });

export const sites = (town: string, search: string): Promise<Page<KeptSite>> =>
  get("/v1/sites", { town, limit: 100, ...(search ? { search } : {}) });

export const wards = async (town: string): Promise<Ward[]> =>
  (await get<Page<Ward>>("/v1/wards", { town })).items.filter((ward) => ward.valid_to === null);

/** Answers what to look at: nothing was refused. */
export const addSite = (site: NewSite): Promise<{ id: string; warning_texts: Bilingual[] }> =>
  send("POST", "/v1/sites", site);

export const addDevice = (id: string, wish: NewDevice): Promise<{ id: string }> =>
  send("POST", "/v1/devices", { ...wish, id });

/** Void a device's claim code and give it a new one. */
export const newCode = (device: string): Promise<{ code: string }> => send("POST", `${path(device)}/claim-code`);

/** The page of labels of one device; it gets a claim code where it has none. */
export const labelPage = async (device: string): Promise<string> =>
  (await change("POST", "/v1/registry/labels", { devices: [device] })).text();

export const claim = (code: string): Promise<Claim> => send("POST", "/v1/claims", { code });

export const installation = (device: string, signal: AbortSignal): Promise<Installation> =>
  get(`${path(device)}/installation`, {}, signal);

/** Try a file of many devices, or import it: all of it or nothing. */
export const importFile = (file: File, dryRun: boolean): Promise<Import> =>
  upload(
    `/v1/registry/import?dry_run=${String(dryRun)}`,
    file,
    file.name.toLowerCase().endsWith(".xlsx") ? XLSX : "text/csv",
    IMPORT_WITHIN_MS,
  );
