// The newest half minute of one patient's signal and beats.

import { MISSING } from "./wire.js";

const KEPT_S = 40;
const SAME_BEAT_MS = 1;

export class Signal {
  constructor(format) {
    this.number = format.number;
    this.rateHz = format.rate_hz;
    this.leads = format.leads;
    this.originMs = format.origin_ms;
    this.capacity = Math.ceil(KEPT_S * this.rateHz);
    this.rings = this.leads.map(() => new Int16Array(this.capacity).fill(MISSING));
    this.off = new Uint8Array(this.capacity);
    this.newest = null; // index one past the newest sample
    this.beats = [];
  }

  put(record) {
    const count = record.samples[0].length;
    const first = this.#place(record.first);
    this.#miss(first);
    for (let k = Math.max(0, count - this.capacity); k < count; k += 1) {
      const at = (first + k) % this.capacity;
      for (let lead = 0; lead < this.rings.length; lead += 1) this.rings[lead][at] = record.samples[lead][k];
      this.off[at] = record.leadOff;
    }
    this.newest = Math.max(this.newest, first + count);
  }

  gap(record) {
    this.#miss(this.#place(record.first) + record.count);
  }

  // Beats whose class or presence is new.
  mark(beats) {
    for (const beat of beats) {
      const known = this.beats.findLast((each) => Math.abs(each.ms - beat.ms) < SAME_BEAT_MS);
      if (!known) this.beats.push({ ...beat, drawn: false });
      else if (beat.label !== "U") Object.assign(known, { label: beat.label, drawn: false });
    }
    this.beats.sort((a, b) => a.ms - b.ms);
    if (this.beats.length > 400) this.beats.splice(0, this.beats.length - 400);
  }

  at(lead, index) {
    if (index < this.newest - this.capacity || index >= this.newest || index < 0) return MISSING;
    return this.rings[lead][index % this.capacity];
  }

  isOff(lead, index) {
    return ((this.off[index % this.capacity] >> lead) & 1) === 1;
  }

  indexAt(ms) {
    return ((ms - this.originMs) / 1000) * this.rateHz;
  }

  // Indices travel modulo 2^32.
  #place(index32) {
    return this.newest === null ? index32 : this.newest + ((index32 - this.newest) | 0);
  }

  #miss(until) {
    if (this.newest === null) this.newest = until;
    for (let index = Math.max(this.newest, until - this.capacity); index < until; index += 1) {
      for (const ring of this.rings) ring[index % this.capacity] = MISSING;
    }
    this.newest = Math.max(this.newest, until);
  }
}
