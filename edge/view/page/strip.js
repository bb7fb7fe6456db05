// A strip on paper, with zoom and callipers: two lines for time, a square on each for voltage.

import { fit, grid } from "./paper.js";
import { colour, settings } from "./theme.js";
import { MISSING } from "./wire.js";
import { clockTime, kind, setText } from "./words.js";

const LEAD_MM = 30;
const BAND_MM = 6;
const GRIP = 14;
const CANVAS_PX_MAX = 8000;

// What a `strip` document holds, as numbers. Samples in steps of scaleUv.
export function opened(message) {
  const leads = Object.keys(message.samples);
  return {
    title: `${message.kind ? kind(message.kind) : "Strip"}, ${message.patient}, ${clockTime(message.start)}`,
    rateHz: message.rate_hz,
    scaleUv: message.scale_uv,
    leads,
    samples: leads.map((lead) => int16(message.samples[lead])),
    beats: message.beats.map((beat) => ({ ms: beat.offset_ms, label: beat.label })),
    onsetMs: message.onset_ms,
  };
}

// The newest seconds of a live signal.
export function frozen(patient, signal, seconds) {
  const count = Math.min(Math.floor(seconds * signal.rateHz), signal.newest ?? 0);
  const first = (signal.newest ?? 0) - count;
  const firstMs = signal.originMs + (first * 1000) / signal.rateHz;
  return {
    title: `Last ${seconds} s, ${patient}, ${clockTime(Date.now())}`,
    rateHz: signal.rateHz,
    scaleUv: 1,
    leads: signal.leads,
    samples: signal.leads.map((_, lead) => Int16Array.from({ length: count }, (__, k) => signal.at(lead, first + k))),
    beats: signal.beats.filter((beat) => beat.ms >= firstMs).map((beat) => ({ ms: beat.ms - firstMs, label: beat.label })),
    onsetMs: null,
  };
}

export class StripViewer {
  #strip = null;
  #at = [0.3, 0.5]; // of the strip's length
  #level = [0.35, 0.65]; // of its height
  #held = null;

  constructor(byId) {
    this.byId = byId;
    this.canvas = byId("viewer-paper");
    byId("viewer-close").addEventListener("click", () => byId("viewer").close());
    byId("viewer-zoom").addEventListener("input", () => this.draw());
    byId("viewer-save").addEventListener("click", () => this.#save());
    ["caliper-a", "caliper-b"].forEach((id, k) =>
      byId(id).addEventListener("input", () => {
        this.#at[k] = Number(byId(id).value) / 1000;
        this.draw();
      }),
    );
    this.canvas.addEventListener("pointerdown", (event) => this.#grab(event));
    this.canvas.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => (this.#held = null));
  }

  open(strip) {
    this.#strip = strip;
    setText(this.byId("viewer-title"), strip.title);
    if (!this.byId("viewer").open) this.byId("viewer").showModal();
    this.byId("viewer-zoom").value = "1";
    this.draw();
  }

  get #mm() {
    const seconds = this.#seconds;
    const wanted = settings.pxPerMm * Number(this.byId("viewer-zoom").value);
    return Math.min(wanted, CANVAS_PX_MAX / (seconds * settings.speed));
  }

  get #seconds() {
    return Math.max(0.1, (this.#strip.samples[0]?.length ?? 0) / this.#strip.rateHz);
  }

  get #size() {
    const mm = this.#mm;
    return [this.#seconds * settings.speed * mm, (BAND_MM + LEAD_MM * Math.max(1, this.#strip.leads.length)) * mm];
  }

  draw() {
    const strip = this.#strip;
    if (!strip) return;
    const [width, height] = this.#size;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = fit(this.canvas, width, height);
    grid(pen, width, height, this.#mm);
    strip.leads.forEach((name, lead) => this.#lead(pen, name, lead, width));
    this.#marks(pen, height);
    this.#lines(pen, width, height);
    this.#say();
  }

  #lead(pen, name, lead, width) {
    const mm = this.#mm;
    const samples = this.#strip.samples[lead];
    const middle = (BAND_MM + LEAD_MM * (lead + 0.58)) * mm;
    const base = baseline(samples);
    const pxPerStep = ((settings.gain * mm) / 1000) * this.#strip.scaleUv;
    const step = width / samples.length;
    pen.strokeStyle = colour("trace");
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.beginPath();
    let drawing = false;
    for (let k = 0; k < samples.length; k += 1) {
      if (samples[k] === MISSING) {
        drawing = false;
        pen.fillStyle = colour("gap");
        pen.fillRect(Math.floor(k * step), middle - 10 * mm, Math.ceil(step) + 1, 20 * mm);
        continue;
      }
      const y = middle - (samples[k] - base) * pxPerStep;
      if (drawing) pen.lineTo(k * step, y);
      else pen.moveTo(k * step, y);
      drawing = true;
    }
    pen.stroke();
    pen.fillStyle = colour("text");
    pen.font = "bold 13px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.fillText(name, 6, (BAND_MM + LEAD_MM * lead) * mm + 14);
  }

  #marks(pen, height) {
    const pxPerMs = (settings.speed * this.#mm) / 1000;
    pen.font = "bold 12px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const { ms, label } of this.#strip.beats) {
      pen.fillStyle = colour(`beat-${label.toLowerCase()}`) || colour("soft");
      pen.fillText(label === "U" ? "·" : label, ms * pxPerMs, BAND_MM * this.#mm * 0.75);
    }
    if (this.#strip.onsetMs === null) return;
    pen.strokeStyle = colour("high");
    pen.setLineDash([6, 4]);
    pen.strokeRect(this.#strip.onsetMs * pxPerMs, 0, 0.01, height);
    pen.setLineDash([]);
  }

  #lines(pen, width, height) {
    pen.lineWidth = 1.5;
    pen.strokeStyle = pen.fillStyle = colour("caliper");
    pen.font = "bold 12px system-ui, sans-serif";
    this.#at.forEach((at, k) => {
      const [x, y] = [at * width, this.#level[k] * height];
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, height);
      pen.moveTo(x - 22, y);
      pen.lineTo(x + 22, y);
      pen.stroke();
      pen.fillRect(x - 5, y - 5, 10, 10);
      pen.textAlign = "left";
      pen.fillText("AB"[k], x + 5, height - 6);
    });
  }

  #say() {
    const ms = Math.abs(this.#at[1] - this.#at[0]) * this.#seconds * 1000;
    const heightMm = this.#size[1] / this.#mm;
    const mv = (Math.abs(this.#level[1] - this.#level[0]) * heightMm) / settings.gain;
    const bpm = ms > 0 ? `${(60_000 / ms).toFixed(0)} bpm` : "–";
    setText(this.byId("calipers"), `${ms.toFixed(0)} ms · ${bpm} · ${mv.toFixed(2)} mV`);
    this.canvas.setAttribute("aria-label", `${this.#strip.title}. Callipers: ${ms.toFixed(0)} ms, ${bpm}, ${mv.toFixed(2)} mV`);
    ["caliper-a", "caliper-b"].forEach((id, k) => (this.byId(id).value = String(Math.round(this.#at[k] * 1000))));
  }

  #grab(event) {
    const [width, height] = this.#size;
    const distances = this.#at.map((at) => Math.abs(at * width - event.offsetX));
    const line = distances[0] <= distances[1] ? 0 : 1;
    if (distances[line] > GRIP * 2) return;
    const level = Math.abs(this.#level[line] * height - event.offsetY) < GRIP;
    this.#held = { line, level };
    this.canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  #drag(event) {
    if (!this.#held) return;
    const [width, height] = this.#size;
    const within = (value) => Math.min(1, Math.max(0, value));
    if (this.#held.level) this.#level[this.#held.line] = within(event.offsetY / height);
    this.#at[this.#held.line] = within(event.offsetX / width);
    this.draw();
  }

  #save() {
    this.canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.#strip.title.replace(/[^\w]+/g, "-")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  }
}

function int16(base64) {
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}

// The median: electrodes put the raw signal anywhere.
function baseline(samples) {
  const known = samples.filter((each) => each !== MISSING).sort();
  return known.length ? known[known.length >> 1] : 0;
}
