// The page itself: puts the uplink and the device together and says how both fare.

import { Device } from "./device.js";
import { KIND, Outbox } from "./outbox.js";
import { clockMs } from "./page_clock.js";
import { Uplink } from "./uplink.js";
import { whyNoBluetooth } from "./words.js";

const BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb";
const TOKEN_KEY = "edge-bridge-token";

const byId = (id) => document.getElementById(id);
const outbox = new Outbox();
let device = null;
let packets = 0;
let wakeLock = null;

const uplink = new Uplink(
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/bridge`,
  newSession(),
  outbox,
  () => device?.isConnected ?? false,
  {
    welcome,
    write: (bytes) => device?.write(bytes).catch((error) => notice(`A command failed: ${error.message}`)),
    state: (words, ok) => say("network", words, ok),
    refused: notice,
    wrongToken: () => askToken("The token is wrong, or the address lacks it."),
  },
);

function record(kind, channel, bytes) {
  outbox.add(kind, channel, clockMs(), bytes);
  uplink.flush();
}

/** A source that was changed meanwhile may have another device: this page then begins anew. */
function welcome({ type, version, next, ...profile }) {
  if (!device) meet(profile);
  else if (JSON.stringify(device.profile) !== JSON.stringify(profile)) location.reload();
}

async function meet(profile) {
  const text = new TextEncoder();
  const battery = profile.channels.indexOf(BATTERY_LEVEL);
  device = new Device(profile, {
    connected: (name) => record(KIND.connected, 0, text.encode(name)),
    lost: (words) => record(KIND.lost, 0, text.encode(words)),
    notification: (channel, bytes) => {
      packets += 1;
      if (channel === battery && bytes.length) byId("battery").textContent = `${bytes[0]} %`;
      record(KIND.notification, channel, bytes);
    },
    state: (words, ok) => say("bluetooth", words, ok),
  });
  byId("device").textContent = profile.device;
  const obstacle = await whyNoBluetooth();
  notice(obstacle);
  byId("connect").disabled = Boolean(obstacle);
}

async function connect() {
  byId("connect").disabled = true;
  keepScreenOn();
  try {
    await device.choose();
  } catch (error) {
    byId("connect").disabled = false;
    if (error.name !== "NotFoundError") notice(`No device was chosen: ${error.message}`);
    return;
  }
  notice("");
  byId("connect").hidden = true;
  byId("stop").hidden = false;
  device.begin();
}

async function stop() {
  byId("stop").hidden = true;
  await device.stop().catch(() => undefined);
  wakeLock?.release();
  byId("connect").hidden = false;
  byId("connect").disabled = false;
}

/** The system takes the lock away whenever the page is hidden. */
async function keepScreenOn() {
  try {
    wakeLock = await navigator.wakeLock?.request("screen");
    wakeLock?.addEventListener("release", () => say("screen", "may sleep", false));
    say("screen", wakeLock ? "stays on" : "may sleep: switch its time-out off", Boolean(wakeLock));
  } catch {
    say("screen", "may sleep: switch its time-out off", false);
  }
}

function say(id, words, ok) {
  byId(id).textContent = words;
  byId(id).dataset.ok = String(ok);
}

function notice(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = !words;
}

function askToken(words) {
  notice(words);
  byId("token-form").hidden = false;
  byId("token").focus();
}

/** From the part of the address behind `#`, which browsers send to nobody; then kept for this tab
 *  and taken out of the address. */
function takeToken() {
  const given = location.hash.replace(/^#(token=)?/, "");
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY) ?? "";
}

function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

byId("connect").addEventListener("click", connect);
byId("stop").addEventListener("click", stop);
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN_KEY, byId("token").value.trim());
  byId("token-form").hidden = true;
  notice("");
  uplink.start(sessionStorage.getItem(TOKEN_KEY));
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && byId("connect").hidden) keepScreenOn();
});
addEventListener("pagehide", () => {
  device?.stop().catch(() => undefined);
  uplink.end();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
setInterval(() => {
  byId("rate").textContent = String(packets);
  packets = 0;
  byId("waiting").textContent = String(outbox.length);
  byId("dropped").textContent = String(outbox.dropped);
}, 1000);

uplink.start(takeToken());
