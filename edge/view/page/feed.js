// The WebSocket: opened for ever, asked over, and watched: silence is not health.

import { decode } from "./wire.js";

const SILENT_MS = 4000;
const ANSWER_MS = 8000;
const [WAIT_MIN_MS, WAIT_MAX_MS] = [500, 8000];

export class Feed {
  #socket = null;
  #waitMs = WAIT_MIN_MS;
  #heardMs = 0;
  #asked = new Map();
  #number = 0;

  // heard({document}|{records}); changed("open"|"silent"|"lost"|"refused")
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    setInterval(() => this.#look(), 500);
  }

  async open() {
    this.#socket?.close();
    if (await this.#refused()) return this.changed("refused");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/feed`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
    return undefined;
  }

  // Ask for something; gives {done, text}.
  ask(request) {
    const number = (this.#number += 1);
    return new Promise((resolve) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        resolve({ done: false, text: "there is no connection" });
        return;
      }
      this.#asked.set(number, resolve);
      setTimeout(() => this.#answer(number, { done: false, text: "no answer came" }), ANSWER_MS);
      this.#socket.send(JSON.stringify({ ...request, request: number }));
    });
  }

  // A status of a WebSocket's refusal is hidden from pages, so it is asked for by itself.
  async #refused() {
    try {
      return (await fetch("/session")).status === 401;
    } catch {
      return false;
    }
  }

  #take(data) {
    const message = decode(data);
    if (!this.#heardMs) this.changed("open");
    this.#heardMs = performance.now();
    this.#waitMs = WAIT_MIN_MS;
    if (message.document?.type === "outcome") this.#answer(message.document.request, message.document);
    else this.heard(message);
  }

  #answer(number, outcome) {
    this.#asked.get(number)?.(outcome);
    this.#asked.delete(number);
  }

  #look() {
    if (this.#heardMs && performance.now() - this.#heardMs > SILENT_MS) {
      this.#heardMs = 0;
      this.changed("silent");
    }
  }

  #lost() {
    this.#socket = null;
    this.#heardMs = 0;
    this.changed("lost");
    setTimeout(() => this.open(), this.#waitMs);
    this.#waitMs = Math.min(WAIT_MAX_MS, this.#waitMs * 2);
  }
}
