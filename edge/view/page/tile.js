// One patient's tile: traces, numbers, state of the link, and the alarms that are on.

import { Sweep } from "./sweep.js";
import { LINKS, PRIORITY, RHYTHMS, clockTime, kind, make, mark, setText } from "./words.js";

const PAUSE_S = 120;

export class Tile {
  #alarmsShown = "";

  // acts: {acknowledge(patient, alertId), pauseAudio(patient, forS), enlarge(patient)}
  constructor(patient, acts) {
    this.patient = patient;
    this.acts = acts;
    this.#build();
    this.sweep = new Sweep(this.canvas);
    new ResizeObserver(() => this.sweep.resize()).observe(this.scope);
  }

  #build() {
    const { id } = this.patient;
    this.name = make("button", { class: "name", type: "button", onclick: () => this.acts.enlarge(id) }, id);
    this.name.setAttribute("aria-label", `Patient ${id}: show details`);
    this.link = make("span", { class: "chip" }, "connecting");
    this.battery = make("span", { class: "battery", hidden: "" });
    this.quality = make("span", { class: "quality", role: "img", hidden: "" }, make("i"), make("i"), make("i"), make("i"));
    this.canvas = make("canvas", { role: "img", "aria-label": `ECG of patient ${id}` });
    this.leads = make("div", { class: "lead-names", "aria-hidden": "true" });
    this.veil = make("p", { class: "veil", hidden: "" });
    this.scope = make("div", { class: "scope" }, this.canvas, this.leads, this.veil);
    this.rate = make("output", { class: "rate" }, "--");
    this.rhythm = make("p", { class: "rhythm" }, "");
    this.hrv = make("p", { class: "hrv" }, "");
    this.alarms = make("ul", { class: "alarm-bar", "aria-label": `Alarms of patient ${id}` });
    const numbers = make(
      "div",
      { class: "numbers" },
      make("p", { class: "rate-line" }, this.rate, make("span", { class: "unit" }, "bpm")),
      this.rhythm,
      this.hrv,
    );
    const head = make("header", { class: "tile-head" }, this.name, this.link, this.quality, this.battery);
    this.element = make("article", { class: "tile", "aria-label": `Patient ${id}` });
    this.element.append(head, this.alarms, make("div", { class: "tile-body" }, this.scope, numbers));
  }

  format(signal) {
    this.leads.replaceChildren(...signal.leads.map((name) => make("span", {}, name)));
    this.element.style.setProperty("--leads", String(signal.leads.length));
    this.sweep.show(signal);
    this.#veil();
  }

  state(state) {
    const rate = state.heart_rate_bpm;
    setText(this.rate, rate === null ? "--" : String(Math.round(rate)));
    setText(this.rhythm, state.rhythm ? (RHYTHMS[state.rhythm] ?? state.rhythm) : "rhythm unknown");
    this.rhythm.classList.toggle("unknown", !state.rhythm);
    setText(this.hrv, state.rmssd_ms == null ? "" : `RMSSD ${Math.round(state.rmssd_ms)} ms`);
    this.linked(state.link, "");
    this.#battery(state.battery_percent ?? null);
    this.#quality(state.quality ?? null);
    this.#leads(state.leads ?? [], state.lead_off);
  }

  linked(link, reason) {
    setText(this.link, LINKS[link] ?? link);
    this.link.dataset.link = link;
    if (reason) this.link.title = reason;
    this.element.dataset.link = link;
    this.#veil();
  }

  // The feed is gone: nothing here is current.
  stale(isStale) {
    this.element.classList.toggle("stale", isStale);
    if (isStale) setText(this.rate, "--");
  }

  alerts(active) {
    const shown = JSON.stringify(active.map((each) => [each.id, each.priority, each.state, each.inactivation, each.acknowledged_by]));
    if (shown === this.#alarmsShown) return;
    this.#alarmsShown = shown;
    this.element.dataset.priority = active[0]?.priority ?? "";
    const held = document.activeElement?.dataset?.key;
    const rows = active.map((each) => alarmRow(each, this.acts));
    if (active.filter(isUnseen).length > 1) rows.push(this.#allRow());
    this.alarms.replaceChildren(...rows);
    if (held) this.alarms.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  #allRow() {
    const act = () => this.acts.acknowledge(this.patient.id, "");
    const button = make("button", { type: "button", "data-key": "all", onclick: act }, "Acknowledge all");
    return make("li", { class: "alarm-all" }, button);
  }

  #leads(leads, anyOff) {
    leads.forEach((lead, k) => this.leads.children[k]?.classList.toggle("off", lead.lead_off));
    this.off = anyOff ? leads.filter((each) => each.lead_off).map((each) => each.name) : [];
    this.allOff = anyOff && this.off.length === leads.length;
    this.#veil();
  }

  #veil() {
    const link = this.element.dataset.link;
    let words = "";
    if (this.allOff) words = "Lead off";
    else if (this.off?.length) words = `Lead off: ${this.off.join(", ")}`;
    if (!words && !this.sweep.signal) words = "No ECG so far";
    if (link && link !== "streaming") words = LINKS[link] ?? link;
    this.veil.hidden = !words;
    setText(this.veil, words);
  }

  #battery(percent) {
    this.battery.hidden = percent === null;
    if (percent === null) return;
    setText(this.battery, `${percent} %`);
    this.battery.classList.toggle("low", percent <= 15);
    this.battery.setAttribute("aria-label", `Battery ${percent} percent`);
  }

  #quality(quality) {
    this.quality.hidden = quality === null;
    if (quality === null) return;
    this.quality.dataset.bars = String(quality <= 0.05 ? 0 : Math.min(4, 1 + Math.floor(quality * 4)));
    const words = `Signal quality ${Math.round(quality * 100)} percent`;
    this.quality.setAttribute("aria-label", words);
    this.quality.title = words;
  }
}

const isUnseen = (alert) => alert.inactivation !== "acknowledged";

// One alarm that is on, with what can be done about it.
function alarmRow(alert, acts) {
  const acknowledged = !isUnseen(alert);
  const row = make("li", { class: "alarm", "data-priority": alert.priority });
  row.classList.toggle("acknowledged", acknowledged);
  row.classList.toggle("latched", alert.state === "latched");
  row.append(
    make("span", { class: "mark", "aria-hidden": "true" }, mark(alert.priority)),
    make("span", { class: "unseen" }, `${PRIORITY[alert.priority]} priority: `),
    make("strong", {}, kind(alert.kind)),
    make("span", { class: "since" }, `since ${clockTime(alert.onset)}${stateWords(alert)}`),
  );
  const button = (key, words, act) =>
    make("button", { type: "button", "data-key": `${key}-${alert.id}`, onclick: act }, words);
  if (!acknowledged) {
    row.append(button("ack", "Acknowledge", () => acts.acknowledge(alert.patient, alert.id)));
    if (alert.inactivation === "audio_paused") {
      row.append(button("pause", "Sound again", () => acts.pauseAudio(alert.patient, 0)));
    } else row.append(button("pause", "Pause sound", () => acts.pauseAudio(alert.patient, PAUSE_S)));
  }
  return row;
}

function stateWords(alert) {
  const words = [];
  if (alert.state === "latched") words.push("over, not yet acknowledged");
  if (alert.inactivation === "acknowledged") words.push(`acknowledged${alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : ""}`);
  if (alert.inactivation === "audio_paused") words.push("sound paused");
  return words.length ? ` · ${words.join(" · ")}` : "";
}
