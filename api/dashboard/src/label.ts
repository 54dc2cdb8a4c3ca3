import { h } from "./dom";
import { pressed } from "./forms";
import { t } from "./i18n";

/**
 * The label of a device as the server draws it, with a button that prints it alone. The server's page has a style of
 * its own, which the content security policy of this page forbids, so its labels are taken out and dressed here.
 */
export function labelView(page: string): HTMLElement {
  const sheet = new DOMParser().parseFromString(page.replace(/<style>[^<]*<\/style>/, ""), "text/html");
  const labels = [...sheet.querySelectorAll("main > section")].map((label) => document.importNode(label, true));
  return h(
    "div",
    { class: "label-view" },
    h("div", { class: "label-sheet", id: "label-sheet" }, ...labels),
    pressed(t("print"), () => window.print(), { id: "print-label" }),
  );
}
