import type {
  Bilingual,
  Device,
  DeviceDetail,
  Domain,
  DomainSummary,
  Observation,
  Overview,
  Page,
  RankedSite,
  Rejection,
  Session,
  SiteDetail,
  Town,
  WindowStatistics,
} from "./types";

/** A refusal in words; `code` is stable. */
export interface Told {
  code: string;
  parameters: Record<string, string | number | Bilingual>;
  text: Bilingual;
}

export type FieldError = { name: string; detail: string } & Partial<Told>;

/** An answer that is not a success; `status` 0 means that no answer came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Which fields are at fault, where the answer says so. */
    readonly errors: readonly FieldError[] = [],
    /** Why, in both languages, where the answer says so. */
    readonly told: Partial<Told> = {},
  ) {
    super(message);
  }
}

interface Problem extends Partial<Told> {
  title?: string;
  detail?: string;
  errors?: FieldError[];
}

const TIMEOUT_MS = 20_000;
/** Of a day's sites the worst are shown. */
const DAY_SITES = 8;
const PAGE_LIMIT = 1000;
const MOST_PAGES = 50;

async function ask(
  path: string,
  init: RequestInit = {},
  outer?: AbortSignal,
  withinMs = TIMEOUT_MS,
): Promise<Response> {
  const limit = AbortSignal.timeout(withinMs);
  const signal = outer ? AbortSignal.any([limit, outer]) : limit;
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init, signal });
  } catch (error) {
    throw new ApiError(0, String(error));
  }
  if (!response.ok) {
    const problem = (await response.json().catch(() => null)) as Problem | null;
    const detail = problem?.detail ?? problem?.title ?? response.statusText;
    throw new ApiError(response.status, detail, problem?.errors ?? [], problem ?? {});
  }
  return response;
}

export async function get<T>(
  path: string,
  parameters: Record<string, string | number | boolean> = {},
  signal?: AbortSignal,
): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).map(([k, v]) => [k, String(v)])).toString();
  const response = await ask(query ? `${path}?${query}` : path, {}, signal);
  return (await response.json()) as T;
}

export const segment = encodeURIComponent;

/** What the server wants to see with a change, so that no page of another site can make one. */
let csrf = "";

export async function session(): Promise<Session> {
  const answer = await get<Session>("/v1/session");
  csrf = answer.csrf ?? "";
  return answer;
}

/** A change; the answer as it came. */
export function change(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { "x-csrf-token": csrf };
  if (body === undefined) return ask(path, { method, headers });
  return ask(path, {
    method,
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Sends a file as the body. */
export async function upload<T>(path: string, file: File, type: string, withinMs: number): Promise<T> {
  const headers = { "x-csrf-token": csrf, "content-type": type };
  const response = await ask(path, { method: "POST", headers, body: file }, undefined, withinMs);
  return (await response.json()) as T;
}

/** A change whose answer is JSON. */
export const send = async <T>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> =>
  (await (await change(method, path, body)).json()) as T;

export async function logIn(name: string, password: string): Promise<void> {
  await ask("/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
}

export async function logOut(): Promise<void> {
  await change("DELETE", "/v1/session");
}

export const towns = async (): Promise<Town[]> => (await get<Page<Town>>("/v1/towns")).items;

export const overview = (town: string): Promise<Overview> => get(`/v1/towns/${segment(town)}/overview`);

/** The sites of a town with the worst of one figure, worst first. */
export const ranking = async (town: string, domain: Domain, by: string, limit: number): Promise<RankedSite[]> =>
  (await get<Page<RankedSite>>(`/v1/towns/${segment(town)}/${domain}/ranking`, { by, limit })).items;

/** A domain's local day in a town; today where no date is named. */
export const summary = (town: string, domain: Domain, date: string): Promise<DomainSummary> =>
  get(`/v1/towns/${segment(town)}/${domain}/summary`, { limit: DAY_SITES, ...(date ? { date } : {}) });

export const site = (id: string, signal: AbortSignal): Promise<SiteDetail> =>
  get(`/v1/sites/${segment(id)}`, {}, signal);

/** Every device with its current values, a page at a time. */
export async function* devices(): AsyncGenerator<Device[]> {
  yield* pages<Device>("/v1/devices", { include: "latest" });
}

export const device = (id: string, signal: AbortSignal): Promise<DeviceDetail> =>
  get(`/v1/devices/${segment(id)}`, {}, signal);

export const rejections = (id: string, limit: number, signal: AbortSignal): Promise<Page<Rejection>> =>
  get(`/v1/devices/${segment(id)}/rejections`, { limit }, signal);

/** Raw observations of [from, now), oldest first, at most `most` pages of a thousand. */
export async function observations(id: string, from: Date, most: number, signal: AbortSignal): Promise<Observation[]> {
  const items: Observation[] = [];
  const path = `/v1/datastreams/${segment(id)}/observations`;
  for await (const page of pages<Observation>(path, { from: from.toISOString(), order: "asc" }, most, signal)) {
    items.push(...page);
  }
  return items;
}

export const statistics = (
  id: string,
  from: Date,
  to: Date,
  resolution: string,
  signal: AbortSignal,
): Promise<{ resolution: string; items: WindowStatistics[] }> =>
  get(
    `/v1/datastreams/${segment(id)}/statistics`,
    { from: from.toISOString(), to: to.toISOString(), resolution },
    signal,
  );

async function* pages<T>(
  path: string,
  parameters: Record<string, string>,
  most = MOST_PAGES,
  signal?: AbortSignal,
): AsyncGenerator<T[]> {
  let cursor: string | null = null;
  for (let page = 0; page < most; page++) {
    const answer: Page<T> = await get<Page<T>>(
      path,
      { ...parameters, limit: PAGE_LIMIT, ...(cursor ? { cursor } : {}) },
      signal,
    );
    yield answer.items;
    cursor = answer.next;
    if (!cursor) return;
  }
}
