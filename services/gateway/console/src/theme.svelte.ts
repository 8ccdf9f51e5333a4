// Light or dark: as the system says, or as chosen here, which this browser keeps.

export type Theme = "system" | "light" | "dark";

const KEY = "gyre-theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

class ThemeState {
  chosen = $state<Theme>(read());

  constructor() {
    systemIsDark.addEventListener("change", () => this.#apply());
    this.#apply();
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    localStorage.setItem(KEY, theme);
    this.#apply();
  }

  #apply(): void {
    const dark = this.chosen === "dark" || (this.chosen === "system" && systemIsDark.matches);
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  }
}

function read(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export const theme = new ThemeState();
