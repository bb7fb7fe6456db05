// The WebSocket to edge: introduces this page, sends what the outbox holds, comes back for ever.

import { clockMs } from "./page_clock.js";

const VERSION = 1;
const BEAT_MS = 2000;
const UNANSWERED_MS = 8000;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 1500;
const BUSY_RETRY_MS = 5000;
const QUEUED_BYTES_MAX = 32768;
const CODE = { wrongToken: 4001, busy: 4002, malformed: 4003, replaced: 4004 };

export class Uplink {
  #socket = null;
  #cursor = 0;
  #connections = 0;
  #retryMs = RETRY_MIN_MS;
  #timer = 0;
  #welcomed = false;
  #unansweredSince = null;
  #ended = true;

  /** on: {welcome(profile), write(bytes), state(words, ok), refused(words), wrongToken()} */
  constructor(url, session, outbox, hasDevice, on) {
    Object.assign(this, { url, session, outbox, hasDevice, on, token: "" });
    setInterval(() => this.#beat(), BEAT_MS);
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => this.#hurry());
  }

  start(token) {
    this.token = token;
    this.#ended = false;
    this.#open();
  }

  /** Say goodbye: this page delivers no more. */
  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#welcomed) this.#socket.send(JSON.stringify({ type: "bye" }));
    this.#drop();
  }

  /** Send what has not been sent on this connection, as far as the network takes it. */
  flush() {
    if (!this.#welcomed) return;
    while (this.#cursor < this.outbox.first + this.outbox.length) {
      if (this.#socket.bufferedAmount > QUEUED_BYTES_MAX) return;
      this.#send();
    }
  }

  #open() {
    clearTimeout(this.#timer);
    this.#drop();
    const connection = this.#connections += 1;
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#unansweredSince = performance.now();
    this.on.state("connecting", false);
    const ifCurrent = (handle) => (event) => { if (socket === this.#socket) handle(event); };
    socket.onopen = ifCurrent(() => socket.send(JSON.stringify({
      type: "hello", version: VERSION, session: this.session, token: this.token,
      next: this.outbox.first, device: this.hasDevice(), connection,
    })));
    socket.onmessage = ifCurrent((event) => this.#heard(JSON.parse(event.data)));
    socket.onclose = ifCurrent((event) => this.#closed(event));
  }

  #heard(message) {
    if (message.type === "welcome") {
      this.outbox.acknowledge(message.next);
      this.#cursor = this.outbox.first;
      this.#welcomed = true;
      this.#retryMs = RETRY_MIN_MS;
      this.#unansweredSince = null;
      this.on.state("connected", true);
      this.on.welcome(message);
      this.#send();
      this.flush();
    } else if (message.type === "ack") {
      this.outbox.acknowledge(message.next);
      this.#unansweredSince = this.#cursor > this.outbox.first ? performance.now() : null;
      this.flush();
    } else if (message.type === "write") {
      this.on.write(Uint8Array.from(message.hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
    }
  }

  #send() {
    const { next, message } = this.outbox.batch(this.#cursor, clockMs());
    this.#socket.send(message);
    this.#cursor = next;
    this.#unansweredSince ??= performance.now();
  }

  #beat() {
    if (this.#ended || !this.#socket) return;
    const since = this.#unansweredSince;
    if (since !== null && performance.now() - since > UNANSWERED_MS) {
      this.#drop();
      this.#retry("no answer; trying again", RETRY_MIN_MS);
    } else if (this.#welcomed && this.#socket.bufferedAmount === 0) {
      this.#send();
    }
  }

  #closed(event) {
    this.#drop();
    if (event.code === CODE.wrongToken) {
      this.#ended = true;
      this.on.state("the token is wrong", false);
      this.on.wrongToken();
    } else if (event.code === CODE.malformed || event.code === CODE.replaced) {
      this.#ended = true;
      this.on.state("not connected", false);
      this.on.refused(event.code === CODE.replaced
        ? "Another page took over. Load this page anew to take it back."
        : `edge did not understand this page: ${event.reason}. Load it anew.`);
    } else if (event.code === CODE.busy) {
      this.#retry("busy: another phone is connected", BUSY_RETRY_MS);
    } else {
      this.#retry("away; what comes is kept", this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
    }
  }

  #retry(words, waitMs) {
    if (this.#ended) return;
    this.on.state(words, false);
    this.#timer = setTimeout(() => this.#open(), waitMs * (0.75 + 0.5 * Math.random()));
  }

  #hurry() {
    if (!this.#ended && !this.#welcomed && !document.hidden) this.#open();
  }

  /** A socket whose peer is gone may take minutes to close: it is not waited for. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    this.#unansweredSince = null;
    socket?.close();
  }
}
