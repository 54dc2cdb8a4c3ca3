import { h } from "./dom";
import { choice, field, form } from "./forms";
import { dateTime } from "./format";
import { pick, t } from "./i18n";
import { Listing } from "./listing";
import { audit, type AuditEntry } from "./people";
import type { Part } from "./sheet";
import type { Store } from "./store";

const DAY_MS = 86_400_000;
/** The towns' days begin by their clocks. */
const DAY_BEGINS = "T00:00:00+07:00";

/** Who changed what, and who tried. */
export class AuditPart implements Part {
  readonly id = "audit";
  readonly title = "auditTitle";
  readonly element = h("section", { class: "sheet-part", id: "audit", hidden: true });

  constructor(private readonly store: Store) {}

  show(): void {
    const from = h("input", { type: "date", id: "audit-from" });
    const to = h("input", { type: "date", id: "audit-to" });
    const actor = h("input", { type: "search", id: "audit-actor", maxlength: 200, autocapitalize: "none" });
    const action = h("input", { type: "search", id: "audit-action", maxlength: 100, placeholder: "device, user.change" });
    const text = h("input", { type: "search", id: "audit-text", minlength: 2, maxlength: 200 });
    const town = choice([["", t("anyTown")], ...this.store.towns.map((each) => [each.id, pick(each.name)] as const)]);
    const outcome = choice([
      ["", t("anyOutcome")],
      ["done", t("outcome.done")],
      ["refused", t("outcome.refused")],
    ]);
    const download = h("a", { id: "audit-download", download: "" }, t("download"));
    let filter: Record<string, string> = {};
    const listing = new Listing<AuditEntry>("audit-list", (cursor) => audit(filter, cursor), entry, t("auditNone"));
    const fields = [
      field(t("auditFrom"), from),
      field(t("auditTo"), to),
      field(t("townSwitch"), town),
      field(t("auditActor"), actor),
      field(t("auditAction"), action),
      field(t("auditText"), text),
      field(t("auditOutcome"), outcome),
    ];
    const look = async (): Promise<void> => {
      const asked = {
        from: from.value && new Date(`${from.value}${DAY_BEGINS}`).toISOString(),
        to: to.value && new Date(Date.parse(`${to.value}${DAY_BEGINS}`) + DAY_MS).toISOString(),
        town: town.value,
        actor: actor.value.trim(),
        action: action.value.trim(),
        text: text.value.trim(),
        outcome: outcome.value,
      };
      filter = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ""));
      download.href = `/v1/audit?${new URLSearchParams({ ...filter, limit: "1000", format: "csv" }).toString()}`;
      await listing.load();
    };
    const search = form("audit-search", t("searchNow"), fields, look);
    search.classList.add("in-a-row");
    this.element.replaceChildren(search, download, listing.element);
    void look();
  }

  hide(): void {
    this.element.replaceChildren();
  }
}

function entry(item: AuditEntry): HTMLElement {
  const kept = [
    [t("before"), item.before],
    [t("after"), item.after],
  ].filter(([, value]) => value !== null);
  return h(
    "li",
    { "data-action": item.action, "data-outcome": item.outcome },
    h(
      "div",
      { class: "line" },
      h("time", { datetime: item.time }, dateTime(item.time)),
      " · ",
      h("strong", {}, item.actor),
      " · ",
      h("code", {}, item.action),
      " · ",
      h("span", { class: "outcome" }, t(`outcome.${item.outcome}`)),
      item.attempts > 1 ? ` · ${t("attempts", { n: item.attempts })}` : "",
    ),
    h("p", { class: "small" }, [item.subject, item.town, item.detail].filter(Boolean).join(" · ")),
    item.address ? h("p", { class: "small muted" }, `${t("auditWhere")} ${item.address}`) : null,
    kept.length
      ? h(
          "details",
          {},
          h("summary", {}, t("beforeAfter")),
          ...kept.flatMap(([title, value]) => [
            h("p", { class: "small muted" }, String(title)),
            h("pre", {}, JSON.stringify(value, null, 1)),
          ]),
        )
      : null,
  );
}
