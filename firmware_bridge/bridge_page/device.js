// The Bluetooth side: choose, connect, subscribe, start, and again whenever it is lost.

const CONNECT_MS = 30000;
const WRITE_MS = 10000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 1500;
const STALL_MS = 20000;
const STREAMING_MS = 3000;

export class Device {
  #device = null;
  #session = null;
  #wanted = false;
  #connecting = false;
  #resting = false;
  #startedMs = -Infinity;
  #ownStarts = new Set();
  #dataMs = -Infinity;
  #keptAliveMs = -Infinity;
  #writing = Promise.resolve();
  #attempt = Promise.resolve();
  #attempts = 0;
  #gone = () => this.#lost("connection lost");

  /** profile: as edge's welcome has it. on: {connected(name), notification(channel, bytes),
   *  lost(words), state(words, ok)} */
  constructor(profile, on) {
    Object.assign(this, { profile, on });
    setInterval(() => this.#watch(), 1000);
  }

  get isConnected() { return this.#session !== null; }

  get #lastSignMs() { return Math.max(this.#startedMs, this.#dataMs); }

  /** Let the user choose the device; only within a user gesture. */
  async choose() {
    this.#device = await navigator.bluetooth.requestDevice(chooserOptions(this.profile.gatt));
    this.#device.addEventListener("gattserverdisconnected", this.#gone);
  }

  /** Connect, and again whenever it is lost, until `stop`. */
  begin() {
    this.#wanted = true;
    this.#resting = false;
    return this.#keepConnected();
  }

  /** What edge wants written. This page starts the device by itself whenever it connects, and
   *  edge starts it when its link opens: that one is left out, as is any start while data come. */
  async write(bytes) {
    await this.#attempt;
    const command = hex(bytes);
    const { start, stop, keep_alive: keepAlive } = this.profile;
    const now = performance.now();
    if (stop.includes(command)) this.#resting = true;
    if (start.includes(command)) {
      this.#resting = false;
      const isRepetition = this.#ownStarts.delete(command) && now - this.#startedMs < STREAMING_MS;
      if (isRepetition || now - this.#dataMs < STREAMING_MS) return;
    }
    const isKeptAlive = now - this.#keptAliveMs < 500 * (keepAlive?.every_s ?? 0);
    if (isKeptAlive && keepAlive.commands.includes(command)) return;
    await this.#send(command);
  }

  /** Let the device rest and leave it. */
  async stop() {
    this.#wanted = false;
    this.#resting = true;
    try {
      for (const command of this.profile.stop) await this.#send(command);
    } finally {
      this.#lost("stopped");
      this.#device?.gatt.disconnect();
      this.on.state("stopped", false);
    }
  }

  async #keepConnected() {
    if (this.#connecting) return;
    this.#connecting = true;
    let waitMs = RETRY_MIN_MS;
    while (this.#wanted && !this.#session) {
      const connected = within(CONNECT_MS, this.#connect());
      this.#attempt = connected.catch(() => undefined);
      try {
        await connected;
      } catch (error) {
        this.#attempts += 1;
        this.#lost(error.message);
        this.#device.gatt.disconnect();
        if (this.#wanted) this.on.state(`trying again: ${error.message}`, false);
        await sleep(waitMs);
        waitMs = Math.min(2 * waitMs, RETRY_MAX_MS);
      }
    }
    this.#connecting = false;
  }

  async #connect() {
    this.on.state("connecting", false);
    const attempt = this.#attempts += 1;
    const found = await characteristics(await this.#device.gatt.connect());
    if (attempt !== this.#attempts || !this.#wanted) throw new Error("given up meanwhile");
    const { gatt, channels } = this.profile;
    for (const uuid of [gatt.control, ...gatt.data].filter(Boolean)) {
      if (!found.has(uuid)) {
        throw new Error(`no characteristic ${uuid}: another device, or its firmware is too old`);
      }
    }
    const session = { control: found.get(gatt.control) };
    this.#session = session;
    this.on.connected(this.#device.name ?? "a device without a name");
    for (const [channel, uuid] of channels.entries()) {
      if (found.has(uuid)) await this.#listen(session, found.get(uuid), channel);
      if (session !== this.#session) throw new Error("connection lost");
    }
    this.#startedMs = performance.now();
    this.#ownStarts = new Set(this.profile.start);
    if (!this.#resting) for (const command of this.profile.start) await this.#send(command, session);
    if (session !== this.#session) throw new Error("connection lost");
    this.on.state(`connected to ${this.#device.name ?? "the device"}`, true);
  }

  /** A value that is read comes as an event too, as a notification does. */
  async #listen(session, characteristic, channel) {
    const isData = this.profile.gatt.data.includes(characteristic.uuid);
    characteristic.addEventListener("characteristicvaluechanged", (event) => {
      if (session !== this.#session) return;
      const { buffer, byteOffset, byteLength } = event.target.value;
      if (isData) this.#dataMs = performance.now();
      this.on.notification(channel, new Uint8Array(buffer, byteOffset, byteLength));
    });
    const { notify, indicate, read } = characteristic.properties;
    if (notify || indicate) await characteristic.startNotifications();
    if (read) await characteristic.readValue().catch(() => undefined);
  }

  /** One write at a time: browsers refuse a second one under way. */
  #send(command, session = this.#session) {
    const sending = this.#writing.then(async () => {
      const control = session?.control;
      if (!control || session !== this.#session) return;
      const bytes = unhex(command);
      await within(WRITE_MS, control.properties.write
        ? control.writeValueWithResponse(bytes) : control.writeValueWithoutResponse(bytes));
    });
    this.#writing = sending.catch(() => undefined);
    return sending;
  }

  #lost(words) {
    if (this.#session) {
      this.#session = null;
      this.on.lost(words);
    }
    if (!this.#wanted || this.#connecting) return;
    this.on.state(`${words}; connecting again`, false);
    this.#keepConnected();
  }

  #watch() {
    if (!this.#session || this.#connecting) return;
    const now = performance.now();
    const keepAlive = this.profile.keep_alive;
    if (keepAlive && !this.#resting && now - this.#keptAliveMs >= 1000 * keepAlive.every_s) {
      this.#keptAliveMs = now;
      for (const command of keepAlive.commands) this.#send(command).catch(() => undefined);
    }
    if (!this.#resting && now - this.#lastSignMs > STALL_MS) {
      this.#lost("no data");
      this.#device.gatt.disconnect();
    }
  }
}

function chooserOptions(gatt) {
  const filters = [];
  const namePrefix = gatt.name.split(/[*?[]/)[0];
  if (namePrefix) filters.push({ namePrefix });
  if (gatt.advertised) filters.push({ services: [gatt.advertised] });
  const optionalServices = gatt.services;
  return filters.length ? { filters, optionalServices } : { acceptAllDevices: true, optionalServices };
}

async function characteristics(server) {
  const found = new Map();
  for (const service of await server.getPrimaryServices()) {
    for (const each of await service.getCharacteristics()) found.set(each.uuid, each);
  }
  return found;
}

function within(timeoutMs, promise) {
  const late = sleep(timeoutMs).then(() => { throw new Error("the device does not answer"); });
  return Promise.race([promise, late]);
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
