// 24 hours of heart rate, RMSSD and PVC burden, a point a minute.

import { fit } from "./paper.js";
import { colour } from "./theme.js";
import { clockTime, make, setText } from "./words.js";

const DAY_MS = 24 * 3600 * 1000;
const POINTS_MAX = 24 * 60;
const JOINED_MS = 90_000; // points further apart have a hole between them
const CURVES = [
  { name: "heart_rate_bpm", words: "Heart rate", unit: "bpm", colour: "curve-rate", least: 30, span: 120 },
  { name: "rmssd_ms", words: "RMSSD", unit: "ms", colour: "curve-hrv", least: 0, span: 100 },
  { name: "pvc_percent", words: "PVC burden", unit: "%", colour: "curve-pvc", least: 0, span: 10 },
];
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 10, 8, 18];

export class Points {
  constructor(columns) {
    this.rows = (columns?.utc_ms ?? []).map((utcMs, k) => ({
      utc_ms: utcMs,
      ...Object.fromEntries(CURVES.map(({ name }) => [name, columns[name][k]])),
    }));
  }

  add(point) {
    this.rows.push(point);
    if (this.rows.length > POINTS_MAX) this.rows.shift();
  }
}

export class TrendChart {
  #cursor = null;

  constructor(host) {
    this.host = host;
    this.charts = CURVES.map((curve) => this.#chart(curve));
    host.append(...this.charts.map((each) => each.element));
    new ResizeObserver(() => this.draw(this.points)).observe(host);
  }

  draw(points) {
    this.points = points;
    if (!points || this.host.offsetParent === null) return;
    for (const chart of this.charts) this.#draw(chart);
  }

  #chart(curve) {
    const value = make("output", {}, "--");
    const canvas = make("canvas", { role: "img", tabindex: "0", "aria-label": `${curve.words} of the last 24 hours; arrow keys read it` });
    const element = make("figure", {}, make("figcaption", {}, `${curve.words} `, value), canvas);
    const chart = { curve, value, canvas, element };
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX / canvas.clientWidth));
    canvas.addEventListener("pointerleave", () => this.#point(null));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1 / 96, ArrowRight: 1 / 96 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.#point(Math.min(1, Math.max(0, (this.#cursor ?? 1) + step)));
    });
    return chart;
  }

  #point(share) {
    this.#cursor = share;
    this.draw(this.points);
  }

  #draw({ curve, value, canvas }) {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const pen = fit(canvas, width, height);
    pen.clearRect(0, 0, width, height);
    const rows = this.points.rows;
    const end = Math.max(Date.now(), rows.at(-1)?.utc_ms ?? 0);
    const known = rows.map((row) => row[curve.name]).filter((each) => each !== null);
    const least = Math.min(curve.least, ...known.map((each) => Math.floor(each / 10) * 10));
    const most = Math.max(curve.least + curve.span, ...known.map((each) => Math.ceil(each / 10) * 10));
    const x = (ms) => LEFT + (1 - (end - ms) / DAY_MS) * (width - LEFT - RIGHT);
    const y = (each) => TOP + (1 - (each - least) / (most - least)) * (height - TOP - BOTTOM);
    axes(pen, width, height, end, x, y, least, most);
    pen.strokeStyle = pen.fillStyle = colour(curve.colour);
    line(pen, rows, curve.name, x, y);
    setText(value, this.#words(rows, curve, pen, x, y, width, height, end));
  }

  #words(rows, curve, pen, x, y, width, height, end) {
    let row = rows.at(-1);
    if (this.#cursor !== null) {
      const ms = end - (1 - (this.#cursor * width - LEFT) / (width - LEFT - RIGHT)) * DAY_MS;
      row = rows.reduce((best, each) => (Math.abs(each.utc_ms - ms) < Math.abs((best?.utc_ms ?? Infinity) - ms) ? each : best), null);
      pen.strokeStyle = colour("soft");
      pen.strokeRect(this.#cursor * width, TOP, 0.01, height - TOP - BOTTOM);
    }
    if (!row) return "no minute complete yet";
    const shown = row[curve.name];
    return `${shown === null ? "--" : shown} ${curve.unit} at ${clockTime(row.utc_ms).slice(0, 5)}`;
  }
}

function axes(pen, width, height, end, x, y, least, most) {
  pen.strokeStyle = colour("line");
  pen.fillStyle = colour("soft");
  pen.font = "11px system-ui, sans-serif";
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const each of [least, (least + most) / 2, most]) {
    pen.strokeRect(LEFT, Math.round(y(each)) + 0.5, width - LEFT - RIGHT, 0.01);
    pen.fillText(String(Math.round(each)), LEFT - 5, y(each));
  }
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  const step = 6 * 3600 * 1000;
  const zone = new Date(end).getTimezoneOffset() * 60_000;
  for (let ms = Math.floor((end - zone) / step) * step + zone; ms > end - DAY_MS; ms -= step) {
    pen.strokeRect(Math.round(x(ms)) + 0.5, TOP, 0.01, height - TOP - BOTTOM);
    pen.fillText(clockTime(ms).slice(0, 5), Math.min(width - 18, Math.max(LEFT + 10, x(ms))), height - 4);
  }
}

function line(pen, rows, name, x, y) {
  pen.lineWidth = 1.6;
  pen.beginPath();
  let before = null;
  for (const row of rows) {
    if (row[name] === null) continue;
    const [px, py] = [x(row.utc_ms), y(row[name])];
    if (before !== null && row.utc_ms - before <= JOINED_MS) pen.lineTo(px, py);
    else {
      pen.fillRect(px - 1, py - 1, 2, 2);
      pen.moveTo(px, py);
    }
    before = row.utc_ms;
  }
  pen.stroke();
  const last = rows.findLast((row) => row[name] !== null);
  if (!last) return;
  pen.beginPath();
  pen.arc(x(last.utc_ms), y(last[name]), 3, 0, 2 * Math.PI);
  pen.fill();
}
