// A stand-in for navigator.bluetooth with one strap, which tests play through `window.strap`.
// Set before: window.STRAP = {name, services: {uuid: {uuid: [properties]}}, values: {uuid: hex}}.
(() => {
  const hex = (view) => Array.from(new Uint8Array(view.buffer ?? view), (b) => b.toString(16).padStart(2, "0")).join("");
  const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

  /** Hangs once, for ever, at the stage that `strap.hangs` names. */
  const passing = (stage) => {
    if (strap.hangs !== stage) return undefined;
    strap.hangs = "";
    strap.isHanging = true;
    return new Promise(() => undefined);
  };

  class Characteristic extends EventTarget {
    constructor(uuid, properties) {
      super();
      this.uuid = uuid;
      this.properties = Object.fromEntries(properties.map((name) => [name, true]));
      this.isSubscribed = false;
    }
    check() {
      if (!strap.isConnected) throw new DOMException("GATT Server is disconnected.", "NetworkError");
    }
    async startNotifications() {
      this.check();
      if (strap.refusals > 0) {
        strap.refusals -= 1;
        throw new DOMException("GATT operation failed for unknown reason.", "NotSupportedError");
      }
      await passing("subscription");
      this.isSubscribed = true;
      strap.log.push(["subscribe", this.uuid]);
      return this;
    }
    async readValue() {
      this.check();
      this.emit(strap.values[this.uuid] ?? "");
      return this.value;
    }
    async writeValueWithResponse(value) {
      this.check();
      if (strap.isWriting) throw new DOMException("GATT operation already in progress.", "NetworkError");
      await passing("write");
      strap.isWriting = true;
      await new Promise((done) => { setTimeout(done, 1); });
      strap.isWriting = false;
      strap.log.push(["write", hex(value)]);
    }
    emit(text) {
      this.value = new DataView(bytes(text).buffer);
      this.dispatchEvent(new Event("characteristicvaluechanged"));
    }
  }

  class Service {
    constructor(uuid, characteristics) {
      this.uuid = uuid;
      this.characteristics = Object.entries(characteristics).map((each) => new Characteristic(...each));
    }
    async getCharacteristics() { return this.characteristics; }
  }

  const device = new EventTarget();
  device.name = window.STRAP.name;
  device.gatt = {
    async connect() {
      strap.log.push(["connect", strap.inReach]);
      if (!strap.inReach) throw new DOMException("Bluetooth Device is no longer in range.", "NetworkError");
      strap.isConnected = true;
      strap.services = Object.entries(window.STRAP.services).map((each) => new Service(...each));
      return device.gatt;
    },
    async getPrimaryServices() {
      await passing("services");
      return strap.services;
    },
    disconnect() { strap.drop(); },
  };

  window.strap = {
    log: [], values: window.STRAP.values, inReach: true, isConnected: false, isWriting: false, refusals: 0, services: [],
    hangs: "", isHanging: false, chooserOptions: null, isCancelled: false,
    get writes() { return this.log.filter(([what]) => what === "write").map(([, text]) => text); },
    /** Notify; whether anyone had subscribed. */
    notify(uuid, text) {
      const found = this.services.flatMap((each) => each.characteristics).find((each) => each.uuid === uuid);
      if (!this.isConnected || !found?.isSubscribed) return false;
      found.emit(text);
      return true;
    },
    drop() {
      if (!this.isConnected) return;
      this.isConnected = false;
      this.services = [];
      device.dispatchEvent(new Event("gattserverdisconnected"));
    },
  };

  const bluetooth = {
    async getAvailability() { return true; },
    async requestDevice(options) {
      if (!navigator.userActivation.isActive) {
        throw new DOMException("Must be handling a user gesture to show a permission request.", "SecurityError");
      }
      if (strap.isCancelled) throw new DOMException("User cancelled the requestDevice() chooser.", "NotFoundError");
      strap.chooserOptions = options;
      return device;
    },
  };
  Object.defineProperty(navigator, "bluetooth", { value: bluetooth, configurable: true });

  window.wakeLocks = 0;
  const wakeLock = { async request() { window.wakeLocks += 1; const lock = new EventTarget(); lock.release = async () => {}; return lock; } };
  Object.defineProperty(navigator, "wakeLock", { value: wakeLock, configurable: true });
})();
