// Light or dark: as the system says, or as chosen here, which this browser keeps.

export type Theme = "system" | "light" | "dark";

const KEY = "gyre-theme";

class ThemeState {
  chosen = $state<Theme>(storedTheme());

  constructor() {
    this.#apply();
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    localStorage.setItem(KEY, theme);
    this.#apply();
  }

  #apply(): void {
    if (this.chosen === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.chosen;
  }
}

function storedTheme(): Theme {
  const theme = localStorage.getItem(KEY);
  return theme === "light" || theme === "dark" ? theme : "system";
}

export const theme = new ThemeState();
