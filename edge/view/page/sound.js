// Alarm sounds in the spirit of IEC 60601-1-8: bursts of 10, 3 and 2 pulses. Silent until asked.

import { settings } from "./theme.js";

// Onset of each pulse and length of a pulse, s; how often the burst comes again, s.
const BURSTS = {
  high: { onsets: [0, 0.25, 0.5, 0.95, 1.2, 2.1, 2.35, 2.6, 3.05, 3.3], pulseS: 0.15, everyS: 7, hz: 523 },
  medium: { onsets: [0, 0.4, 0.8], pulseS: 0.2, everyS: 12, hz: 440 },
  low: { onsets: [0, 0.45], pulseS: 0.2, everyS: 25, hz: 349 },
};
const HARMONICS = [1, 0.6, 0.45, 0.3, 0.2];
const RISE_S = 0.02;

export class Sound {
  #audio = null;
  #dueMs = 0;
  #sounding = "";
  on = false;
  bursts = 0;

  // Only from a gesture: browsers allow no sound before one.
  async toggle() {
    this.on = !this.on;
    if (!this.on) return this.#audio?.suspend();
    this.#audio ??= new AudioContext();
    this.#dueMs = 0;
    return this.#audio.resume();
  }

  // priority: of the most urgent alarm that may sound, "" for none.
  tick(priority, nowMs) {
    if (priority !== this.#sounding) [this.#sounding, this.#dueMs] = [priority, 0];
    if (!this.on || !priority || nowMs < this.#dueMs) return;
    const burst = BURSTS[priority];
    this.#dueMs = nowMs + burst.everyS * 1000;
    this.bursts += 1;
    for (const onset of burst.onsets) this.#pulse(burst.hz, this.#audio.currentTime + 0.05 + onset, burst.pulseS);
  }

  #pulse(hz, startS, lengthS) {
    const real = new Float32Array(HARMONICS.length + 1);
    const tone = new OscillatorNode(this.#audio, { frequency: hz });
    tone.setPeriodicWave(this.#audio.createPeriodicWave(real, Float32Array.of(0, ...HARMONICS)));
    const envelope = new GainNode(this.#audio, { gain: 0 });
    envelope.gain.setValueAtTime(0, startS);
    envelope.gain.linearRampToValueAtTime(settings.volume, startS + RISE_S);
    envelope.gain.setValueAtTime(settings.volume, startS + lengthS - RISE_S);
    envelope.gain.linearRampToValueAtTime(0, startS + lengthS);
    tone.connect(envelope).connect(this.#audio.destination);
    tone.start(startS);
    tone.stop(startS + lengthS);
  }
}
