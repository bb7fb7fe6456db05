// What the person at the screen has chosen; kept in the browser, where that is allowed.

const DEFAULTS = { speed: 25, gain: 10, theme: "auto", volume: 0.4, pxPerMm: 96 / 25.4 };
const KEY = "edge-view";

export const settings = { ...DEFAULTS, ...stored() };
const listeners = new Set();

export function onChange(listener) {
  listeners.add(listener);
}

export function change(name, value) {
  settings[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // private windows keep nothing
  }
  apply();
}

export function apply() {
  document.documentElement.dataset.theme = settings.theme;
  document.documentElement.style.setProperty("--mm", `${settings.pxPerMm}px`);
  for (const listener of listeners) listener();
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function bindSettings(byId) {
  for (const [id, name, number] of [
    ["speed", "speed", true],
    ["gain", "gain", true],
    ["theme", "theme", false],
    ["volume", "volume", true],
    ["px-per-mm", "pxPerMm", true],
  ]) {
    const control = byId(id);
    control.value = String(settings[name]);
    control.addEventListener("input", () => change(name, number ? Number(control.value) : control.value));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(Object.entries(found).filter(([name, value]) => typeof value === typeof DEFAULTS[name]));
  } catch {
    return {};
  }
}
