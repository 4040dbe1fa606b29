// Light, dark, or what the system has.

import { element } from "./server.js";

const THEMES = { auto: "light dark", light: "light", dark: "dark" };

function take(theme) {
  document.documentElement.style.colorScheme = THEMES[theme];
  element("theme").value = theme;
  localStorage.setItem("theme", theme);
}

const kept = localStorage.getItem("theme");
take(kept in THEMES ? kept : "auto");
element("theme").addEventListener("change", (event) => take(event.target.value));
