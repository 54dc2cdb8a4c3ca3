import { h, setText } from "./dom";
import { field, form, pressed } from "./forms";
import { count } from "./format";
import { pick, t } from "./i18n";
import { importFile, type Fault, type Import } from "./registry";
import { complaint } from "./complaint";

const SHOWN = 100;

/** Many devices out of a file: tried first, imported only when nothing in it is wrong. */
export function importView(): HTMLElement {
  const file = h("input", { type: "file", id: "import-file", required: true, accept: ".csv,.xlsx" });
  const report = h("div", { class: "import-report", id: "import-report", role: "status" });
  const go = pressed(t("importFile"), () => void run(), { id: "import-go", disabled: true }) as HTMLButtonElement;
  file.addEventListener("change", () => {
    go.disabled = true;
    report.replaceChildren();
  });
  const attempt = async (): Promise<void> => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    const answer = await importFile(chosen, true);
    report.replaceChildren(...told(answer, t("importWould")));
    go.disabled = answer.fault_count > 0;
  };
  const run = async (): Promise<void> => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    go.disabled = true;
    setText(report, t("loading"));
    try {
      report.replaceChildren(...told(await importFile(chosen, false), t("importDid")));
    } catch (error) {
      setText(report, complaint(error));
    }
  };
  return h(
    "details",
    { class: "folded" },
    h("summary", { id: "import-open" }, t("manyTitle")),
    form("import", t("tryFile"), [field(t("manyFile"), file, t("manyHelp"))], attempt, go),
    h("a", { href: "/v1/registry/export", download: "" }, t("exportFile")),
    report,
  );
}

function told(answer: Import, what: string): HTMLElement[] {
  if (answer.fault_count > 0) {
    return [h("p", { class: "form-error" }, t("importFaults", { n: count(answer.fault_count) })), table(answer.faults)];
  }
  const { created, changed, unchanged } = answer.devices;
  const counts = {
    what,
    created: count(created),
    changed: count(changed),
    unchanged: count(unchanged),
    sites: count(answer.sites.created),
  };
  return [
    h("p", {}, h("strong", {}, t("importCounts", counts))),
    ...(answer.warnings.length ? [h("p", { class: "flagged" }, t("importWarnings")), table(answer.warnings)] : []),
    ...(answer.change_texts.length
      ? [h("details", {}, h("summary", {}, t("importChanges")), h("pre", {}, answer.change_texts.slice(0, SHOWN).map(pick).join("\n")))]
      : []),
  ];
}

const table = (faults: readonly Fault[]): HTMLElement =>
  h(
    "table",
    { class: "faults" },
    h("thead", {}, h("tr", {}, ...[t("colLine"), t("colColumn"), t("colFault")].map((text) => h("th", { scope: "col" }, text)))),
    h(
      "tbody",
      {},
      ...faults
        .slice(0, SHOWN)
        .map((fault) => h("tr", {}, h("td", {}, String(fault.line)), h("td", {}, fault.column), h("td", {}, pick(fault.text)))),
    ),
  );
