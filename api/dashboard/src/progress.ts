import { complaint } from "./complaint";
import { h, setText } from "./dom";
import { pressed, twice } from "./forms";
import { dateTime } from "./format";
import { t } from "./i18n";
import { labelView } from "./label";
import { refusalText } from "./refusals";
import { STEPS, installation, labelPage, newCode, type Installation } from "./registry";
import { ageElement } from "./tick";

const EVERY_MS = 2000;

/** How far the installation of one device is, asked for again and again until its first reading is stored. */
export class ProgressView {
  readonly element = h("section", { class: "progress", id: "progress", hidden: true, "aria-live": "polite" });
  private readonly title = h("h3", { id: "progress-title" });
  private readonly steps = h("ol", { class: "steps" });
  private readonly refusal = h("div", { class: "progress-refusal" });
  private readonly label = h("div");
  private readonly acts = h("div", { class: "acts" });
  private readonly error = h("p", { class: "form-error", role: "alert" });
  private device: string | null = null;
  private drawn = "";
  private abort = new AbortController();
  private timer = 0;

  constructor(
    private readonly mayLabel: (device: string) => boolean,
    private readonly onLook: (device: string) => void,
  ) {
    this.element.append(this.title, this.steps, this.refusal, this.acts, this.error, this.label);
  }

  follow(device: string): void {
    this.stop();
    this.device = device;
    this.drawn = "";
    this.element.hidden = false;
    this.element.dataset["device"] = device;
    this.label.replaceChildren();
    this.steps.replaceChildren();
    this.refusal.replaceChildren();
    setText(this.error, "");
    setText(this.title, t("progressOf", { device }));
    this.acts.replaceChildren(
      ...(this.mayLabel(device)
        ? [
            pressed(t("showLabel"), () => void this.showLabel(false), { id: "show-label" }),
            twice(t("newCode"), t("newCodeSure"), () => void this.showLabel(true), { id: "new-code" }),
          ]
        : []),
      pressed(t("lookAtDevice"), () => this.onLook(device), { id: "look-at-device" }),
    );
    void this.ask();
  }

  /** Ask no more; what stands stays. */
  stop(): void {
    window.clearTimeout(this.timer);
    this.abort.abort();
    this.abort = new AbortController();
  }

  clear(): void {
    this.stop();
    this.device = null;
    this.element.hidden = true;
  }

  private async ask(): Promise<void> {
    const { signal } = this.abort;
    if (this.device === null) return;
    let done = false;
    try {
      const answer = await installation(this.device, signal);
      if (signal.aborted) return;
      this.draw(answer);
      setText(this.error, "");
      done = answer.step === "done";
    } catch (error) {
      if (signal.aborted) return;
      setText(this.error, complaint(error));
    }
    if (!done) this.timer = window.setTimeout(() => void this.ask(), EVERY_MS);
  }

  private draw(answer: Installation): void {
    const state = JSON.stringify(answer);
    if (state === this.drawn) return;
    this.drawn = state;
    const reached = STEPS.indexOf(answer.step);
    this.element.dataset["step"] = answer.step;
    const times: Record<string, string | null> = {
      labelled: answer.labelled_time,
      claimed: answer.claimed_time,
      heard: answer.heard_time,
      done: answer.stored_time,
    };
    this.steps.replaceChildren(
      ...STEPS.map((step, place) => {
        // A device may be heard without ever having been claimed.
        const passed = place <= reached && (times[step] !== null || step === "created");
        const time = times[step];
        return h(
          "li",
          { "data-step": step, "data-passed": String(passed), "aria-current": place === reached ? "step" : null },
          h("span", { class: "step-name" }, `${passed ? "✓ " : ""}${t(`step.${step}`)}`),
          h(
            "span",
            { class: "small muted" },
            time ? `${dateTime(time)}${step === "claimed" && answer.claimed_by ? ` · ${answer.claimed_by}` : ""} · ` : "",
            time ? ageElement(time) : null,
          ),
        );
      }),
    );
    const hint = reached < STEPS.length - 1 ? t(`stepHint.${answer.step as "claimed"}`) : t("stepHint.done");
    this.refusal.replaceChildren(
      h("p", { class: "cure" }, hint),
      ...(answer.refused_reason && !mended(answer) ? [refusedBox(answer.refused_reason, answer)] : []),
    );
  }

  private async showLabel(renew: boolean): Promise<void> {
    const { device } = this;
    if (device === null) return;
    setText(this.error, "");
    try {
      if (renew) await newCode(device);
      const view = labelView(await labelPage(device));
      if (device === this.device) this.label.replaceChildren(view);
      this.stop();
      void this.ask();
    } catch (error) {
      setText(this.error, complaint(error));
    }
  }
}

/** Whether what was refused last has been followed by what was stored. */
const mended = (answer: Installation): boolean =>
  Date.parse(answer.stored_time ?? "") >= Date.parse(answer.refused_time ?? "");

/** Why the newest message was refused; that the device was unknown is mended by now, since it has an installation. */
function refusedBox(reason: string, answer: Installation): HTMLElement {
  if (reason === "unknown-device") {
    return h("p", { class: "small", "data-reason": reason }, t("refusedBefore"), " ", ageElement(answer.refused_time));
  }
  const text = refusalText(reason);
  return h(
    "div",
    { class: "refused-box", "data-reason": reason },
    h("p", {}, h("strong", {}, text?.meaning ?? reason), " ", h("code", {}, reason)),
    answer.refused_detail ? h("p", { class: "small" }, answer.refused_detail) : null,
    text ? h("p", { class: "small cure" }, text.cure) : null,
    h("p", { class: "small muted" }, ageElement(answer.refused_time)),
  );
}
