// Words for people, and colours' names in the style sheet.

export const KINDS = {
  asystole: "Asystole",
  vf: "Ventricular fibrillation or flutter",
  vt: "Ventricular tachycardia",
  extreme_brady: "Extreme bradycardia",
  extreme_tachy: "Extreme tachycardia",
  pause: "Pause",
  af: "Atrial fibrillation",
  brady: "Bradycardia",
  tachy: "Tachycardia",
  pvc_run: "Run of PVCs",
  lead_off: "Lead off",
  signal_lost: "Signal lost",
  poor_signal: "Poor signal",
  storage_fault: "Alerts may not be stored",
  analysis_limited: "Arrhythmia analysis limited",
};

export const RHYTHMS = {
  normal: "normal rhythm",
  af: "atrial fibrillation",
  other: "other rhythm",
  noise: "noise",
  vt: "ventricular tachycardia",
  vf: "ventricular fibrillation",
};

export const LINKS = {
  connecting: "connecting",
  streaming: "connected",
  silent: "silent",
  lost: "connection lost",
  ended: "ended",
};

export const BEATS = { N: "normal", S: "supraventricular", V: "ventricular", F: "fusion", Q: "paced or unclear", U: "" };

export const RANK = { high: 0, medium: 1, low: 2 };
export const PRIORITY = { high: "HIGH", medium: "MEDIUM", low: "LOW" };
const MARKS = { high: "!!!", medium: "!!", low: "!" };

export const kind = (word) => KINDS[word] ?? word.replaceAll("_", " ");
export const mark = (priority) => MARKS[priority] ?? "!";

export function clockTime(utc) {
  return new Date(utc).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

export function evidence(alert) {
  return Object.entries(alert.evidence)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? +value.toPrecision(4) : value}`)
    .join(", ");
}

// An element with attributes and children; text never becomes markup.
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
