const STORED = "thubon.theme";
const light = matchMedia("(prefers-color-scheme: light)");

/** The page follows the desk's setting unless the operator chose; `onChange` redraws what is painted on canvas. */
export function startTheme(onChange: () => void): () => void {
  const stored = localStorage.getItem(STORED);
  if (stored === "light" || stored === "dark") document.documentElement.dataset["theme"] = stored;
  light.addEventListener("change", onChange);
  return () => {
    const now = document.documentElement.dataset["theme"] ?? (light.matches ? "light" : "dark");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem(STORED, next);
    onChange();
  };
}
