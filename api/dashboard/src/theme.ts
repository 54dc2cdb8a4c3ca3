const STORED = "thubon.theme";
const light = matchMedia("(prefers-color-scheme: light)");

type Theme = "light" | "dark";

let chosen: Theme | null = null;

/** The page follows the desk's setting unless the operator chose; `onChange` redraws what is painted on canvas. */
export function startTheme(onChange: () => void): () => void {
  const stored = localStorage.getItem(STORED);
  chosen = stored === "light" || stored === "dark" ? stored : null;
  apply();
  light.addEventListener("change", () => {
    apply();
    onChange();
  });
  return () => {
    chosen = current() === "dark" ? "light" : "dark";
    localStorage.setItem(STORED, chosen);
    apply();
    onChange();
  };
}

const current = (): Theme => chosen ?? (light.matches ? "light" : "dark");

function apply(): void {
  document.documentElement.dataset["theme"] = current();
}
