// Light or dark: as the system is set, until the reader chooses.
import { createSignal } from "solid-js";

export type Theme = "light" | "dark" | "system";

const NAME = "maquette theme";
const [theme, setSignal] = createSignal<Theme>(stored());
export { theme };

export function startTheme(): void {
  document.documentElement.dataset.theme = theme();
}

/** Switches to the theme that is not shown now. */
export function toggleTheme(): void {
  const dark = theme() === "dark" || (theme() === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  const next = dark ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  setSignal(next);
  try {
    localStorage.setItem(NAME, next);
  } catch {
    // Storage is blocked: the choice holds until the page is closed.
  }
}

function stored(): Theme {
  try {
    const found = localStorage.getItem(NAME);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    return "system";
  }
}
