// Runs before the first paint: the remembered theme, or the system's.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden: the system's theme then holds
    }
  };
  const show = () => {
    const chosen = remembered();
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
    root.dataset.shownTheme = root.dataset.theme || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", () => {
    show();
    document.dispatchEvent(new Event("theme"));
  });
  show();
})();
