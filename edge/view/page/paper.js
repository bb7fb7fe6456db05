// ECG paper: the usual grid of 1 and 5 mm, and canvases that are sharp on any screen.

import { colour } from "./theme.js";

// Fit a canvas to its box; gives its size in CSS pixels.
export function fit(canvas, width, height, options) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const pen = canvas.getContext("2d", options);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

export function grid(pen, width, height, pxPerMm) {
  pen.fillStyle = colour("paper");
  pen.fillRect(0, 0, width, height);
  for (const [stepMm, name] of [
    [1, "grid"],
    [5, "grid-strong"],
  ]) {
    const step = stepMm * pxPerMm;
    if (step < 3) continue;
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1;
    pen.beginPath();
    for (let x = 0; x <= width; x += step) line(pen, snap(x), 0, snap(x), height);
    for (let y = 0; y <= height; y += step) line(pen, 0, snap(y), width, snap(y));
    pen.stroke();
  }
}

const snap = (value) => Math.round(value) + 0.5;

function line(pen, x0, y0, x1, y1) {
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
}
