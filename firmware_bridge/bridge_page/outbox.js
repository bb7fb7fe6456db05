// What happened at this page and has not been acknowledged yet: numbered, in order, bounded.

export const KIND = { notification: 0, connected: 1, lost: 2 };

const VERSION = 1;
const HEADER_BYTES = 9;
const RECORD_BYTES = 16;
/** Small, so that even 1 KB/s brings one over, and its acknowledgement back, within 8 s. */
const BATCH_BYTES_MAX = 4096;
const HELD_BYTES_MAX = 8 * 1024 * 1024;
const HELD_RECORDS_MAX = 50000;
const CONTENT_BYTES_MAX = 4096;

export class Outbox {
  #held = [];
  #heldBytes = 0;
  #next = 0;
  dropped = 0;

  constructor(recordsMax = HELD_RECORDS_MAX, bytesMax = HELD_BYTES_MAX) {
    this.recordsMax = recordsMax;
    this.bytesMax = bytesMax;
  }

  /** How many records wait for their acknowledgement. */
  get length() { return this.#held.length; }

  /** Number of the oldest record still held; of the next one where none is. */
  get first() { return this.#next - this.#held.length; }

  /** Keep a record; the oldest ones give way where there is no room. Their numbers stay unused,
   *  so the far side sees how many are missing. */
  add(kind, channel, atMs, content) {
    const bytes = content.slice(0, CONTENT_BYTES_MAX);
    this.#held.push({ kind, channel, atMs, bytes });
    this.#heldBytes += RECORD_BYTES + bytes.length;
    this.#next += 1;
    while (this.#held.length > this.recordsMax || this.#heldBytes > this.bytesMax) {
      this.#forget(1);
      this.dropped += 1;
    }
  }

  /** Forget the records below this number: they arrived. */
  acknowledge(next) {
    this.#forget(Math.min(Math.max(next - this.first, 0), this.#held.length));
  }

  /** One message with the records from `from` on, as many as fit and at least one, and the number after them.
   *  Without any it is a heartbeat that carries the clock. */
  batch(from, sentMs) {
    const start = Math.max(from, this.first);
    const chosen = [];
    let size = HEADER_BYTES;
    for (let i = start - this.first; i < this.#held.length; i += 1) {
      const bytes = RECORD_BYTES + this.#held[i].bytes.length;
      if (chosen.length && size + bytes > BATCH_BYTES_MAX) break;
      chosen.push(this.#held[i]);
      size += bytes;
    }
    return { next: start + chosen.length, message: encode(chosen, start, size, sentMs) };
  }

  #forget(count) {
    for (const { bytes } of this.#held.splice(0, count)) this.#heldBytes -= RECORD_BYTES + bytes.length;
  }
}

function encode(records, start, size, sentMs) {
  const message = new Uint8Array(size);
  const view = new DataView(message.buffer);
  view.setUint8(0, VERSION);
  view.setFloat64(1, sentMs, true);
  let at = HEADER_BYTES;
  records.forEach((record, index) => {
    view.setUint32(at, start + index, true);
    view.setFloat64(at + 4, record.atMs, true);
    view.setUint8(at + 12, record.kind);
    view.setUint8(at + 13, record.channel);
    view.setUint16(at + 14, record.bytes.length, true);
    message.set(record.bytes, at + RECORD_BYTES);
    at += RECORD_BYTES + record.bytes.length;
  });
  return message;
}
