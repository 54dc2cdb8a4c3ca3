import type { Role, Session } from "./types";

/** Lowest first. */
export const ROLES: readonly Role[] = ["viewer", "operator", "engineer", "administrator"];

let grants: Readonly<Record<string, Role>> = {};

/** Remember what who is logged in was granted. The server decides; the page only leaves out what it would refuse. */
export function learnRights(session: Session): void {
  grants = session.grants;
}

const reaches = (granted: Role | undefined, role: Role): boolean =>
  granted !== undefined && ROLES.indexOf(granted) >= ROLES.indexOf(role);

export const may = (role: Role, town: string): boolean => reaches(grants[town], role) || reaches(grants["*"], role);

export const mayInAll = (role: Role): boolean => reaches(grants["*"], role);

export const mayAnywhere = (role: Role): boolean => Object.values(grants).some((granted) => reaches(granted, role));
