import { AuditPart } from "./auditpart";
import { KeysPart } from "./keys";
import { Sheet } from "./sheet";
import type { Store } from "./store";
import { UsersPart } from "./users";

/** People, keys of programs, and who did what. */
export const adminSheet = (store: Store): Sheet =>
  new Sheet("admin", "adminTitle", [new UsersPart(store), new KeysPart(store), new AuditPart(store)]);
