// One patient's traces, sweeping: each frame draws what is new and wipes a bar ahead of it.

import { fit, grid } from "./paper.js";
import { colour, settings } from "./theme.js";
import { MISSING } from "./wire.js";

const BAND = 18; // px at the top, for beat marks
const WIPE_MM = 6;
const DASH = 4; // px of a lead without contact
const SMOOTH_S = 0.08; // what is kept back, so that packets do not show as jerks
const DUE_MS = 100; // what has come is shown within this
const STARVED_MS = 1000;
const MARKS = { N: "beat-n", S: "beat-s", V: "beat-v", F: "beat-f", Q: "beat-q", U: "beat-u" };

export class Sweep {
  #pen = null;
  #width = 0;
  #height = 0;
  #head = null; // index one past the newest sample drawn, with a fraction
  #drawn = 0; // whole samples drawn
  #due = [];
  #lastMs = 0;
  #heardMs = 0;
  #starved = false;
  #colours = {};
  #dirty = true;
  lags = [];

  constructor(canvas) {
    this.canvas = canvas;
    this.paper = document.createElement("canvas"); // the empty grid, to wipe with: one layer is cheaper than two
    this.signal = null;
  }

  // How many messages of signal are not on the paper yet.
  get pending() {
    return this.#due.length;
  }

  // Another format: everything begins anew.
  show(signal) {
    this.signal = signal;
    this.#head = null;
    this.#due = [];
    this.#dirty = true;
  }

  // Samples came. arrivedMs: UTC at which they reached the host, 0 where it is not known.
  came(nowMs, arrivedMs) {
    this.#heardMs = nowMs;
    if (this.#starved) [this.#starved, this.#head] = [false, null]; // the gap drawn was a guess
    this.#due.push({ end: this.signal.newest, ms: nowMs + DUE_MS, arrivedMs });
    if (this.#due.length > 200) this.#due.shift();
  }

  resize() {
    this.#dirty = true;
  }

  frame(nowMs) {
    const elapsedMs = Math.min(250, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#dirty) this.#lay();
    const signal = this.signal;
    if (!this.#width) this.#due = []; // nobody sees it
    if (!signal || signal.newest === null || !this.#width) return;
    const before = this.#head;
    this.#advance(nowMs, elapsedMs / 1000);
    const jumped = before === null || this.#head < before - 1 || this.#head > before + 2 * signal.rateHz;
    if (jumped) this.#redraw();
    else this.#drawTo(Math.floor(this.#head));
    this.#markBeats();
    this.#arrived();
  }

  #advance(nowMs, elapsedS) {
    const { newest, rateHz } = this.signal;
    const waiting = newest - (this.#head ?? -Infinity);
    if (waiting > 2 * rateHz) {
      this.#head = newest;
      return undefined;
    }
    if (waiting <= 0) return this.#starve(nowMs, elapsedS);
    let speed = rateHz * Math.min(8, Math.max(0.5, waiting / rateHz / SMOOTH_S));
    for (const each of this.#due) {
      const leftS = Math.max(0.001, (each.ms - nowMs) / 1000);
      speed = Math.max(speed, (each.end - this.#head) / leftS);
    }
    this.#head = Math.min(newest, this.#head + speed * elapsedS);
    return undefined;
  }

  // Nothing comes: the sweep goes on over a gap, for a picture that stands still looks alive.
  #starve(nowMs, elapsedS) {
    if (nowMs - this.#heardMs <= STARVED_MS) return;
    this.#starved = true;
    this.#head += this.signal.rateHz * elapsedS;
  }

  #arrived() {
    const utcMs = performance.timeOrigin + performance.now();
    while (this.#due.length && this.#due[0].end <= this.#head + 1) {
      const { arrivedMs } = this.#due.shift();
      if (arrivedMs) this.lags.push(utcMs - arrivedMs);
      if (this.lags.length > 500) this.lags.shift();
    }
  }

  #lay() {
    this.#dirty = false;
    const box = this.canvas.parentElement.getBoundingClientRect();
    [this.#width, this.#height] = [box.width, box.height];
    if (!this.#width || !this.#height) return;
    grid(fit(this.paper, box.width, box.height), box.width, box.height, settings.pxPerMm);
    this.#pen = fit(this.canvas, box.width, box.height, { alpha: false });
    this.#clear(0, box.width);
    for (const name of ["trace", "gap", "off", "soft", ...Object.values(MARKS)]) this.#colours[name] = colour(name);
    if (this.signal?.newest !== null) this.#redraw();
  }

  #redraw() {
    if (!this.#pen || !this.signal) return;
    this.#clear(0, this.#width);
    const head = Math.floor(this.#head ?? this.signal.newest);
    const window = Math.floor(((this.#width - this.#wipe) / this.#pxPerS) * this.signal.rateHz);
    this.#drawn = Math.max(0, head - Math.max(1, window));
    for (const beat of this.signal.beats) beat.drawn = false;
    this.#drawTo(head);
    this.#markBeats();
  }

  get #pxPerS() {
    return settings.speed * settings.pxPerMm;
  }

  get #wipe() {
    return WIPE_MM * settings.pxPerMm;
  }

  #x(index) {
    return ((index / this.signal.rateHz) * this.#pxPerS) % this.#width;
  }

  #drawTo(head) {
    if (head <= this.#drawn) return;
    const from = Math.max(this.#drawn, head - Math.floor((this.#width / this.#pxPerS) * this.signal.rateHz));
    this.#wipeAhead(from, head);
    const leads = this.signal.leads.length;
    const height = (this.#height - BAND) / leads;
    for (let lead = 0; lead < leads; lead += 1) this.#drawLead(lead, from, head, BAND + height * lead, height);
    this.#drawn = head;
  }

  #wipeAhead(from, to) {
    const start = this.#x(from) + this.#wipe;
    const length = ((to - from) / this.signal.rateHz) * this.#pxPerS + 2;
    const x = start % this.#width;
    this.#clear(x - 1, length + 1);
    if (x + length > this.#width) this.#clear(0, x + length - this.#width);
  }

  // Grid alone, from x on; in whole pixels of the screen, so that no seams show.
  #clear(x, width, height = this.#height) {
    const ratio = this.canvas.width / this.#width;
    const from = Math.max(0, Math.floor(x * ratio));
    const w = Math.min(this.canvas.width, Math.ceil((x + width) * ratio)) - from;
    const h = Math.min(this.canvas.height, Math.ceil(height * ratio));
    if (w > 0) this.#pen.drawImage(this.paper, from, 0, w, h, from / ratio, 0, w / ratio, h / ratio);
  }

  #drawLead(lead, from, to, top, height) {
    const pen = this.#pen;
    const pxPerUv = (settings.gain * settings.pxPerMm) / 1000;
    const middle = top + height * 0.58; // R waves point up: more room there
    const [highest, lowest] = [top + 2, top + height - 2];
    let [drawing, off, before] = [false, false, Infinity];
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.beginPath();
    for (let index = Math.max(0, from - 1); index < to; index += 1) {
      const value = this.signal.at(lead, index);
      const x = this.#x(index);
      const isOff = value !== MISSING && this.signal.isOff(lead, index);
      const lifted = value === MISSING || (isOff && Math.floor(x / DASH) % 2 === 1);
      if (drawing && (lifted || isOff !== off || x < before)) {
        this.#stroke(off);
        drawing = false;
      }
      if (value === MISSING) this.#missing(index, from, x, top, height);
      else if (!lifted) {
        const y = isOff ? middle : Math.min(lowest, Math.max(highest, middle - value * pxPerUv));
        if (drawing) pen.lineTo(x, y);
        else pen.moveTo(x, y);
        [drawing, off] = [true, isOff];
      }
      before = x;
    }
    if (drawing) this.#stroke(off);
  }

  #stroke(off) {
    const pen = this.#pen;
    pen.strokeStyle = off ? this.#colours.off : this.#colours.trace;
    pen.stroke();
    pen.beginPath();
  }

  #missing(index, from, x, top, height) {
    if (index < from) return;
    const width = this.#pxPerS / this.signal.rateHz;
    this.#pen.fillStyle = this.#colours.gap;
    this.#pen.fillRect(Math.floor(x), top + 4, Math.ceil(width) + 1, height - 8);
  }

  #markBeats() {
    const { beats, rateHz } = this.signal;
    const oldest = this.#drawn - ((this.#width - 2 * this.#wipe) / this.#pxPerS) * rateHz;
    for (let k = beats.length - 1; k >= 0; k -= 1) {
      const index = this.signal.indexAt(beats[k].ms);
      if (index < oldest) break;
      if (beats[k].drawn || index > this.#drawn) continue;
      beats[k].drawn = true;
      this.#mark(this.#x(index), beats[k].label);
    }
  }

  #mark(x, label) {
    const pen = this.#pen;
    this.#clear(x - 6, 12, BAND - 1);
    pen.fillStyle = this.#colours[MARKS[label] ?? "beat-u"];
    if (label === "U") {
      pen.fillRect(x - 1, BAND - 7, 2, 5);
      return;
    }
    pen.font = `${label === "N" ? "" : "bold "}12px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText(label, x, BAND - 1);
  }
}
