// Messages of the feed, as docs/view.md lays them out; all numbers are little-endian.

export const SCHEMA = 1;
export const MISSING = -32768;
const SIGNAL = 1;
const DOCUMENT = 2;
const [SAMPLES, BEATS, GAP] = [1, 2, 3];
const text = new TextDecoder();

// {document} or {arrivedMs, dropped, records}; throws on what is neither.
export function decode(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) !== SCHEMA) throw new Error(`schema ${view.getUint8(0)} is unknown; reload the page`);
  if (view.getUint8(1) === DOCUMENT) return { document: JSON.parse(text.decode(new Uint8Array(buffer, 2))) };
  if (view.getUint8(1) !== SIGNAL) throw new Error("unknown kind of message");
  const records = [];
  let at = 16;
  for (let count = view.getUint16(2, true); count > 0; count -= 1) {
    const [record, size] = READERS[view.getUint8(at)](view, at);
    records.push(record);
    at += size;
  }
  return { dropped: view.getUint32(4, true), arrivedMs: view.getFloat64(8, true), records };
}

const READERS = {
  [SAMPLES]: (view, at) => {
    const leads = view.getUint8(at + 3);
    const count = view.getUint32(at + 8, true);
    const samples = [];
    for (let lead = 0; lead < leads; lead += 1) {
      samples.push(new Int16Array(view.buffer, at + 16 + lead * count * 2, count));
    }
    const record = {
      type: "samples",
      patient: view.getUint8(at + 1),
      form: view.getUint8(at + 2),
      first: view.getUint32(at + 4, true),
      leadOff: view.getUint32(at + 12, true),
      samples,
    };
    return [record, 16 + leads * count * 2];
  },
  [BEATS]: (view, at) => {
    const count = view.getUint16(at + 2, true);
    const beats = [];
    for (let k = 0; k < count; k += 1) {
      const here = at + 8 + k * 10;
      beats.push({ ms: view.getFloat64(here, true), label: String.fromCharCode(view.getUint8(here + 8)) });
    }
    return [{ type: "beats", patient: view.getUint8(at + 1), beats }, 8 + count * 10];
  },
  [GAP]: (view, at) => [
    {
      type: "gap",
      patient: view.getUint8(at + 1),
      form: view.getUint8(at + 2),
      first: view.getUint32(at + 4, true),
      count: view.getUint32(at + 8, true),
    },
    12,
  ],
};
