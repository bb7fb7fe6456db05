// The WebSocket: opened for ever, asked over, and watched. Silence is not health: the end of a
// connection whose host is gone comes minutes later or never, so a silent one is replaced.

import { decode } from "./wire.js";

const SILENT_MS = 4000;
const ASKING_MS = 4000;
const OPENING_MS = 10000;
const LOCKED_MS = 5000;
const ANSWER_MS = 8000;
const [WAIT_MIN_MS, WAIT_MAX_MS] = [500, 8000];

export class Feed {
  #socket = null;
  #waitMs = WAIT_MIN_MS;
  #live = false;
  #silent = false;
  #welcomed = false;
  #heardMs = 0;
  #attempt = 0;
  #again = 0;
  #asked = new Map();
  #number = 0;

  // heard({document}|{records}); changed("open"|"silent"|"lost"|"refused")
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    setInterval(() => this.#look(), 500);
  }

  // Leaves whatever was open before.
  async open() {
    const attempt = this.#leave();
    const refused = await this.#refused();
    if (attempt !== this.#attempt) return;
    if (refused) this.#locked();
    else this.#connect();
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

  #connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/feed`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heardMs = performance.now();
    socket.onmessage = (event) => socket === this.#socket && this.#take(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  // Gives the number of the attempt that begins; what comes of earlier ones no longer counts.
  #leave() {
    clearTimeout(this.#again);
    const old = this.#socket;
    [this.#socket, this.#live, this.#welcomed] = [null, false, false];
    old?.close();
    return (this.#attempt += 1);
  }

  // A status of a WebSocket's refusal is hidden from pages, so it is asked for by itself.
  async #refused() {
    try {
      return (await fetch("/session", { signal: AbortSignal.timeout(ASKING_MS) })).status === 401;
    } catch {
      return false;
    }
  }

  #take(data) {
    const message = decode(data);
    this.#heardMs = performance.now();
    if (!this.#live && (!this.#silent || this.#welcomed)) this.#begin();
    if (message.document?.type === "outcome") this.#answer(message.document.request, message.document);
    else this.heard(message);
    if (message.document?.type === "ready") this.#ready();
  }

  #begin() {
    [this.#live, this.#silent] = [true, false];
    this.#waitMs = WAIT_MIN_MS;
    this.changed("open");
  }

  // The picture alone is no news: whoever has fallen silent may still be able to give it.
  #ready() {
    this.#welcomed = true;
    if (this.#silent) this.changed("silent");
  }

  #answer(number, outcome) {
    this.#asked.get(number)?.(outcome);
    this.#asked.delete(number);
  }

  #look() {
    if (!this.#socket) return;
    const silentMs = performance.now() - this.#heardMs;
    if (this.#live && silentMs > SILENT_MS) {
      this.#silent = true;
      this.changed("silent");
      this.open();
    } else if (!this.#live && silentMs > OPENING_MS) this.#lost();
  }

  #lost() {
    this.#leave();
    this.changed("lost");
    this.#again = setTimeout(() => this.open(), this.#waitMs);
    this.#waitMs = Math.min(WAIT_MAX_MS, this.#waitMs * 2);
  }

  // Somebody may log in in another window, and the next `edge` may not refuse.
  #locked() {
    this.changed("refused");
    this.#again = setTimeout(() => this.open(), LOCKED_MS);
  }
}
