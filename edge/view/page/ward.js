// All patients: documents and signal go to whom they concern.

import { Speaker, byUrgency } from "./alarms.js";
import { Signal } from "./signal.js";
import { Tile } from "./tile.js";
import { Points } from "./trend.js";

const ALERTS_KEPT = 100;
const STRIPS_KEPT = 20;

export class Ward {
  #byNumber = new Map();
  #told = new Set();
  patients = new Map();
  ready = false;

  // changed(patient): something of a patient other than the signal is new.
  constructor(host, acts, changed, spoken) {
    this.host = host;
    this.acts = acts;
    this.changed = changed;
    this.speaker = new Speaker(...spoken);
  }

  take(message) {
    if (message.records) for (const record of message.records) this.#signal(record, message.arrivedMs);
    else this[`_${message.document.type}`]?.(message.document);
  }

  stale(isStale) {
    for (const { tile } of this.patients.values()) tile.stale(isStale);
  }

  frame(nowMs) {
    for (const { tile } of this.patients.values()) tile.sweep.frame(nowMs);
  }

  #signal(record, arrivedMs) {
    const patient = this.#byNumber.get(record.patient);
    if (!patient) return;
    if (record.type === "beats") patient.signal?.mark(record.beats);
    if (record.form !== patient.signal?.number) return;
    if (record.type === "samples") patient.signal.put(record);
    else if (record.type === "gap") patient.signal.gap(record);
    patient.tile.sweep.came(performance.now(), arrivedMs);
  }

  _hello() {
    this.ready = false;
    this.#told.clear();
  }

  _ready() {
    this.ready = true;
    for (const [id, { tile }] of this.patients) {
      if (this.#told.has(id)) continue;
      tile.element.remove();
      this.patients.delete(id);
    }
  }

  _patient({ id, number, device, state }) {
    const known = this.patients.get(id);
    const patient = { id, number, device, state, active: [], alerts: [], strips: [], points: new Points(), signal: null };
    patient.tile = known?.tile ?? new Tile(patient, this.acts);
    patient.tile.patient = patient;
    if (!known) this.host.append(patient.tile.element);
    this.patients.set(id, patient);
    this.#told.add(id);
    this.#byNumber.set(number, patient);
    if (state) patient.tile.state(state);
    this.#active(patient, []);
  }

  _format(format) {
    const patient = this.patients.get(format.patient);
    if (!patient) return;
    patient.signal = new Signal(format);
    patient.tile.format(patient.signal);
  }

  _state({ state }) {
    const patient = this.patients.get(state.patient);
    if (!patient) return;
    patient.state = state;
    patient.tile.state(state);
  }

  _link({ patient, link, reason }) {
    this.patients.get(patient)?.tile.linked(link, reason);
  }

  _active({ active }) {
    const patient = this.patients.get(active.patient);
    if (patient) this.#active(patient, active.alerts);
  }

  _alert({ alert }) {
    const patient = this.patients.get(alert.patient);
    if (!patient) return;
    patient.alerts.push(alert);
    if (patient.alerts.length > ALERTS_KEPT) patient.alerts.shift();
    if (this.ready) this.speaker.tell(alert);
    this.changed(patient);
  }

  _trend(columns) {
    const patient = this.patients.get(columns.patient);
    if (!patient) return;
    patient.points = new Points(columns);
    this.changed(patient);
  }

  _trend_point(point) {
    const patient = this.patients.get(point.patient);
    if (!patient) return;
    patient.points.add(point);
    this.changed(patient);
  }

  _strip_ready(entry) {
    const patient = this.patients.get(entry.patient);
    if (!patient) return;
    patient.strips.unshift(entry);
    patient.strips.length = Math.min(patient.strips.length, STRIPS_KEPT);
    this.changed(patient);
  }

  _strip(document) {
    this.acts.showStrip(document.strip);
  }

  #active(patient, active) {
    patient.active = active.toSorted(byUrgency);
    patient.tile.alerts(patient.active);
    this.changed(patient);
  }
}
