// Alarms in words: the log of one patient, and what a screen reader is told.

import { PRIORITY, RANK, clockTime, evidence, kind, make, setText } from "./words.js";

const LOG_SHOWN = 50;

export function showLog(log, alerts) {
  const rows = alerts.slice(-LOG_SHOWN).reverse().map(logRow);
  log.replaceChildren(...(rows.length ? rows : [make("li", { class: "calm" }, "No alarm so far.")]));
}

function logRow(alert) {
  const row = make("li", { "data-priority": alert.priority, "data-phase": alert.phase });
  row.append(
    make("time", { datetime: alert.time }, clockTime(alert.time)),
    make("span", { class: "dot", "aria-hidden": "true" }),
    make("strong", {}, kind(alert.kind)),
    make("span", {}, `${PRIORITY[alert.priority].toLowerCase()}, ${alert.phase}`),
    make("small", {}, evidence(alert)),
  );
  return row;
}

// Speaks of alarms that begin or end; urgent ones interrupt.
export class Speaker {
  constructor(urgent, polite) {
    this.urgent = urgent;
    this.polite = polite;
  }

  tell(alert) {
    if (alert.phase === "update") return;
    const words = alert.phase === "start" ? `${PRIORITY[alert.priority]} alarm` : "Alarm over";
    const where = alert.priority === "high" && alert.phase === "start" ? this.urgent : this.polite;
    setText(where, `${words}: ${kind(alert.kind)}, patient ${alert.patient}`);
  }
}

export const byUrgency = (a, b) => RANK[a.priority] - RANK[b.priority] || b.seq - a.seq;

// The most urgent priority that may sound: acknowledged and paused alarms may not.
export function sounding(patients) {
  const loud = patients.flatMap((each) => each.active).filter((each) => (each.inactivation ?? "enabled") === "enabled");
  return loud.sort(byUrgency)[0]?.priority ?? "";
}
