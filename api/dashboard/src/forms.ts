import { complaint } from "./complaint";
import { h, setText } from "./dom";

/** A control under its label, with a line of help where one is needed. */
export function field(label: string, control: HTMLElement, help?: string): HTMLLabelElement {
  return h(
    "label",
    { class: "field" },
    h("span", {}, label),
    control,
    help ? h("span", { class: "small muted" }, help) : null,
  );
}

/** A drop-down list of values with their texts. */
export function choice(
  options: readonly (readonly [string, string])[],
  attributes: Record<string, string | boolean> = {},
  chosen = "",
): HTMLSelectElement {
  return h(
    "select",
    attributes,
    ...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
}

export function pressed(text: string, run: () => void, attributes: Record<string, string | boolean> = {}): HTMLElement {
  const button = h("button", { type: "button", class: "plain", ...attributes }, text);
  button.addEventListener("click", run);
  return button;
}

/** A button that asks once more before it does what cannot be taken back. */
export function twice(
  text: string,
  sure: string,
  run: () => void,
  attributes: Record<string, string | boolean> = {},
): HTMLElement {
  let asked = false;
  const button = pressed(
    text,
    () => {
      if (asked) return run();
      asked = true;
      button.classList.add("danger");
      setText(button, sure);
    },
    attributes,
  );
  button.addEventListener("blur", () => {
    asked = false;
    button.classList.remove("danger");
    setText(button, text);
  });
  return button;
}

/** A form that sends once at a time and says under its fields why the server refused. */
export function form(
  id: string,
  submit: string,
  fields: readonly HTMLElement[],
  run: () => Promise<void>,
  ...beside: readonly HTMLElement[]
): HTMLFormElement {
  const error = h("p", { class: "form-error", role: "alert", id: `${id}-error` });
  const button = h("button", { type: "submit", class: "primary" }, submit);
  const element = h("form", { class: "form", id }, ...fields, error, h("div", { class: "acts" }, button, ...beside));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(error, "");
    run()
      .catch((refusal: unknown) => setText(error, complaint(refusal)))
      .finally(() => (button.disabled = false));
  });
  return element;
}

/** A secret that is told once, with a button that copies it. */
export function secret(label: string, value: string, copy: string, id: string): HTMLElement {
  const output = h("output", { id, class: "secret" }, value);
  const button = pressed(copy, () => void navigator.clipboard.writeText(value).then(() => button.classList.add("done")));
  // Without https the browser lends no clipboard; the text can be marked.
  if (!window.isSecureContext) button.hidden = true;
  return h("div", { class: "secret-line" }, h("span", {}, label), output, button);
}
