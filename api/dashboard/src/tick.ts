import { ageS, nowMs } from "./clock";
import { h, setText } from "./dom";
import { age, dateTime } from "./format";

/** An age that ticks: every `[data-age]` on the page is rewritten once a second. */
export function ageElement(time: string | null | undefined, attributes: Record<string, string> = {}): HTMLElement {
  const element = h("time", { class: "age", ...attributes });
  setAge(element, time);
  return element;
}

export function setAge(element: HTMLElement, time: string | null | undefined): void {
  if (time) {
    if (element.dataset["age"] !== time) {
      element.dataset["age"] = time;
      element.setAttribute("datetime", time);
      element.title = dateTime(time);
    }
  } else {
    delete element.dataset["age"];
    element.removeAttribute("datetime");
    element.removeAttribute("title");
  }
  setText(element, age(time));
}

/** Rewrite ages, and mark as stale what has outlived its `data-stale-after` seconds. */
export function tick(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-age]"))
    setText(element, age(element.dataset["age"]));
  for (const element of document.querySelectorAll<HTMLElement>("[data-stale-after]")) {
    const seconds = ageS(element.dataset["observed"]);
    const stale = seconds !== null && seconds > Number(element.dataset["staleAfter"]);
    if ((element.dataset["stale"] === "true") !== stale) element.dataset["stale"] = String(stale);
  }
}

/** Call at every full second of the server's clock, when the page is in sight. */
export function everySecond(run: () => void): void {
  const next = (): void => {
    window.setTimeout(next, 1000 - (nowMs() % 1000));
    if (!document.hidden) run();
  };
  next();
}
