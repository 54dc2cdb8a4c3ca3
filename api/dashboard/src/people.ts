import { get, segment, send } from "./api";
import type { Page, Role } from "./types";

/** Town, or `*` for all of them -> role. */
export type Grants = Record<string, Role>;

export interface User {
  name: string;
  display_name: string;
  grants: Grants;
  last_login_time: string | null;
  disabled_time: string | null;
}

export interface UserChange {
  display_name?: string;
  password?: string;
  grants?: Grants;
  disabled?: boolean;
}

export interface ApiKey {
  id: string;
  name: string;
  beginning: string;
  grants: Grants;
  created_by: string;
  expires_time: string;
  revoked_time: string | null;
  last_used_time: string | null;
  last_used_address: string | null;
}

export interface AuditEntry {
  time: string;
  actor: string;
  address: string | null;
  action: string;
  outcome: "done" | "refused";
  town: string | null;
  subject: string;
  detail: string | null;
  attempts: number;
  before: unknown;
  after: unknown;
}

const paged = (limit: number, cursor: string | null): Record<string, string | number> =>
  cursor ? { limit, cursor } : { limit };

export const users = (cursor: string | null): Promise<Page<User>> => get("/v1/users", paged(100, cursor));

export const addUser = (user: {
  name: string;
  display_name: string;
  password: string;
  grants: Grants;
}): Promise<User> => send("POST", "/v1/users", user);

export const changeUser = (name: string, change: UserChange): Promise<User> =>
  send("PATCH", `/v1/users/${segment(name)}`, change);

export const keys = (cursor: string | null): Promise<Page<ApiKey>> => get("/v1/api-keys", paged(100, cursor));

/** The answer tells the key itself, this once. */
export const addKey = (name: string, grants: Grants, expires: Date): Promise<ApiKey & { key: string }> =>
  send("POST", "/v1/api-keys", { name, grants, expires_time: expires.toISOString() });

export const revokeKey = (id: string): Promise<ApiKey> => send("DELETE", `/v1/api-keys/${segment(id)}`);

export const audit = (filter: Record<string, string>, cursor: string | null): Promise<Page<AuditEntry>> =>
  get("/v1/audit", { ...filter, ...paged(50, cursor) });
