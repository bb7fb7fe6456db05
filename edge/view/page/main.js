// The page: parts put together, one loop of frames.

import { showLog, sounding } from "./alarms.js";
import { Feed } from "./feed.js";
import { fromAddress, give } from "./login.js";
import { Sound } from "./sound.js";
import { StripViewer, frozen, opened } from "./strip.js";
import { apply, bindSettings, onChange, settings } from "./theme.js";
import { TrendChart } from "./trend.js";
import { Ward } from "./ward.js";
import { clockTime, kind, make, setText } from "./words.js";

const byId = (id) => document.getElementById(id);
const FROZEN_S = 15;
const NOTICE_MS = 8000;
const LOCKED_PRIORITY = "medium";

const sound = new Sound();
const viewer = new StripViewer(byId);
const acts = {
  acknowledge: (patient, alertId) => does({ do: "acknowledge", patient, alert_id: alertId }),
  pauseAudio: (patient, forS) => does({ do: "pause_audio", patient, for_s: forS }),
  enlarge: (patient) => enlarge(patient === enlarged ? "" : patient),
  showStrip: (strip) => viewer.open(opened(strip)),
};
const ward = new Ward(byId("ward"), acts, changed, [byId("spoken-urgent"), byId("spoken")]);
const feed = new Feed(take, connected);
const trend = new TrendChart(byId("trend"));
let enlarged = "";
let dropped = 0;
let noticed = 0;
let connection = "";
const frames = { count: 0, lags: () => [...ward.patients.values()].flatMap(({ tile }) => tile.sweep.lags) };
Object.assign(window, { edgeView: { frames, ward, sound, settings } });

function take(message) {
  ward.take(message);
  if (message.dropped > dropped) notice("This connection is slow: some of the signal was left out.", NOTICE_MS);
  dropped = message.dropped ?? dropped;
  if (message.document?.type === "ready") enlarge(ward.patients.size === 1 ? [...ward.patients.keys()][0] : enlarged);
}

function connected(state) {
  if (state === "refused" && connection === "refused") return; // somebody may be typing
  connection = state;
  const words = { open: "live", silent: "no news", lost: "no connection", refused: "locked" };
  setText(byId("connection"), words[state]);
  byId("connection").dataset.state = state;
  byId("login").hidden = state !== "refused";
  byId("main").hidden = state === "refused";
  ward.stale(state !== "open");
  dropped = 0;
  notice(state === "lost" || state === "silent" ? "No connection to edge: nothing on this page is current." : "");
  if (state === "refused") locked();
}

function locked() {
  byId("token").focus();
  if (!ward.patients.size) return;
  const words = "edge asks for its token again: until it is given, no alarm is shown here.";
  notice(words);
  setText(byId("spoken-urgent"), words);
}

// What is to be heard now: on a page that was open and is locked, that nobody is watched here.
function aloud() {
  const patients = [...ward.patients.values()];
  return connection === "refused" && patients.length ? LOCKED_PRIORITY : sounding(patients);
}

// Words at the top, for so long or until others take their place.
function notice(words, forMs = 0) {
  clearTimeout(noticed);
  if (forMs) noticed = setTimeout(() => notice(""), forMs);
  byId("notice").hidden = !words;
  setText(byId("notice"), words);
}

async function does(request) {
  const { done, text } = await feed.ask(request);
  const failed = done ? "" : `${request.do.replaceAll("_", " ")}: ${text}`;
  if (failed) notice(failed, NOTICE_MS);
  else setText(byId("spoken"), text);
}

function enlarge(patient) {
  enlarged = ward.patients.has(patient) ? patient : "";
  byId("all").hidden = !enlarged || ward.patients.size === 1;
  byId("detail").hidden = !enlarged;
  for (const { id, tile } of ward.patients.values()) {
    tile.element.hidden = Boolean(enlarged) && id !== enlarged;
    tile.element.classList.toggle("large", id === enlarged);
    tile.name.setAttribute("aria-expanded", String(id === enlarged));
  }
  byId("ward").dataset.count = String(enlarged ? 1 : ward.patients.size);
  if (enlarged) changed(ward.patients.get(enlarged));
}

function changed(patient) {
  if (patient.id !== enlarged) return;
  showLog(byId("log"), patient.alerts);
  trend.draw(patient.points);
  byId("strips").replaceChildren(...patient.strips.map(stripRow));
}

function stripRow(entry) {
  const words = `${entry.kind ? kind(entry.kind) : "Strip asked for"}, ${clockTime(entry.start)}`;
  const open = () => does({ do: "fetch_strip", patient: entry.patient, number: entry.number });
  const button = make("button", { type: "button", onclick: open }, words);
  return make("li", { "data-priority": entry.priority ?? "" }, button);
}

function everySecond() {
  setText(byId("clock"), clockTime(Date.now()));
  sound.tick(aloud(), performance.now());
}

function frame(nowMs) {
  frames.count += 1;
  ward.frame(nowMs);
  requestAnimationFrame(frame);
}

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = await give(byId("token").value);
  setText(byId("login-fault"), fault);
  byId("token").value = "";
  if (!fault) feed.open();
});
byId("sound").addEventListener("click", async () => {
  await sound.toggle();
  setText(byId("sound"), sound.on ? "Sound on" : "Sound off");
  byId("sound").setAttribute("aria-pressed", String(sound.on));
});
byId("all").addEventListener("click", () => enlarge(""));
byId("freeze").addEventListener("click", () => {
  const patient = ward.patients.get(enlarged);
  if (patient?.signal) viewer.open(frozen(patient.id, patient.signal, FROZEN_S));
});
byId("make-strip").addEventListener("click", () => does({ do: "make_strip", patient: enlarged }));
byId("settings-open").addEventListener("click", () => byId("settings").showModal());
byId("settings-close").addEventListener("click", () => byId("settings").close());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && enlarged && ward.patients.size > 1 && !document.querySelector("dialog[open]")) enlarge("");
});

onChange(() => {
  for (const { tile } of ward.patients.values()) tile.sweep.resize();
  setText(byId("paper-words"), `${settings.speed} mm/s, ${settings.gain} mm/mV, nominal.`);
  trend.draw(trend.points);
  viewer.draw();
});
bindSettings(byId);
apply();
const token = fromAddress();
if (token) setText(byId("login-fault"), await give(token));
feed.open();
setInterval(everySecond, 250);
requestAnimationFrame(frame);
