"""The page in a real headless Chromium: what it shows, what its buttons do, and that it sweeps."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from edge.actions import Acknowledge, AskStrip, Outcome, PauseAudio
from edge.alert import Inactivation, Phase, Priority
from edge.events import BeatClass
from edge.messages import LeadState
from edge.view.attendance import Attendance
from edge.view_settings import ViewSettings
from tests.edge.view.served import FORM, RATE_HZ, served
from tests.patience import WAIT_S

TOKEN = "a token for the tests"
SLICE = 10
STATE = "document.getElementById('connection').dataset.state"


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium; tests skip where there is none."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine (sudo apt install chromium, or set CHROMIUM)")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Shown:
    """A page that is open, what is behind it, and the errors that came up in it."""

    page: Any
    view: Any
    asked: Any
    beds: list
    errors: list

    def until_drawn(self, patient: str) -> None:
        """Wait until everything of a patient that was sent is on the paper."""
        bed = next(bed for bed in self.beds if bed.patient.id == patient)
        shown = f"edgeView.ward.patients.get('{patient}')"
        self.until(f"{shown}.signal.newest === {bed.position} && !{shown}.tile.sweep.pending")

    def until(self, expression: str) -> None:
        """Wait until it is true; asked from outside, as the page forbids eval."""
        deadline_s = time.monotonic() + WAIT_S
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline_s, f"never true: {expression}"
            self.page.wait_for_timeout(20)


@contextlib.contextmanager
def opened(chromium, *patients, settings=None, fragment="", hurried=False, **context):
    """A page with these patients in a window of its own. hurried: its clock may be put forward."""
    with served(*patients, settings=settings) as (view, asked, beds):
        made = chromium.new_context(viewport={"width": 1200, "height": 800}, **context)
        made.set_default_timeout(WAIT_S * 1000)
        page = made.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda each: errors.append(each.text) if each.type == "error" else None)
        if hurried:
            page.clock.install()
        page.goto(view.url + fragment)
        try:
            yield Shown(page, view, asked, beds, errors)
        finally:
            made.close()


@pytest.fixture(scope="module")
def shown(chromium):
    """Two patients with half a minute of signal."""
    with opened(chromium, "p1", "p2", color_scheme="dark") as made:
        for bed in made.beds:
            bed.samples(int(20 * RATE_HZ))
            bed.state()
        made.until("edgeView.ward.ready && edgeView.ward.patients.size === 2")
        with every_second(made.beds):
            yield made
        assert made.errors == []


@contextlib.contextmanager
def every_second(beds):
    """Tell states again and again, as an engine does: silence is a fault."""
    stop = threading.Event()

    def tell():
        while not stop.wait(1.0):
            for bed in beds:
                bed.again()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    yield
    stop.set()
    teller.join()


def picture(shown, selector):
    """A part of the page as an array, (height, width, 3)."""
    image = pytest.importorskip("PIL.Image")
    taken = shown.page.locator(selector).screenshot()
    return np.asarray(image.open(io.BytesIO(taken)).convert("RGB")).astype(int)


def text(shown, selector):
    return shown.page.locator(selector).first.inner_text()


def test_numbers_link_quality_and_battery_are_shown(shown):
    shown.beds[0].state(heart_rate_bpm=83.4, rmssd_ms=41.0, rhythm="af", battery_percent=9)
    tile = "article >> nth=0"
    shown.until("document.querySelector('.rate').textContent === '83'")
    words = text(shown, tile)
    for each in ("p1", "connected", "atrial fibrillation", "RMSSD 41 ms", "9 %"):
        assert each in words
    assert "low" in shown.page.locator(".battery").first.get_attribute("class")
    assert shown.page.locator(".quality").first.get_attribute("aria-label") == (
        "Signal quality 90 percent"
    )
    shown.beds[0].state(link="lost", heart_rate_bpm=None)
    shown.until("document.querySelector('.veil').textContent === 'connection lost'")
    assert text(shown, ".rate") == "--"
    leads = [LeadState(name=name, quality=0.0, lead_off=name == "II") for name in FORM.leads]
    shown.beds[0].state(leads=leads, lead_off=True)
    shown.until("document.querySelector('.veil').textContent === 'Lead off: II'")


def test_trace_beats_and_gaps_are_on_the_paper(shown):
    bed = shown.beds[1]
    bed.samples(int(RATE_HZ))
    shown.until_drawn("p2")
    before = picture(shown, ".scope >> nth=1")
    trace = np.abs(before - [0x56, 0xF0, 0xAC]).sum(2) < 120
    covered = trace.any(0).mean()
    assert 0.7 < covered < 1.0  # all but the bar that wipes
    bed.gap(int(RATE_HZ))
    bed.samples(int(RATE_HZ))
    for second in range(12, bed.position // int(RATE_HZ)):
        bed.beat(second * 1_000_000_000 + 240_000_000, BeatClass.V)
    shown.until("edgeView.ward.patients.get('p2').signal.beats.some((beat) => beat.drawn)")
    shown.until_drawn("p2")
    after = picture(shown, ".scope >> nth=1")
    gap = (np.abs(after - [0x23, 0x28, 0x2D]).sum(2) < 12).sum(0) > after.shape[0] / 2
    width_px = 25 * 96 / 25.4  # of one second
    assert gap.sum() == pytest.approx(width_px, abs=6)
    mark = np.abs(after[:18] - [0xFF, 0x9D, 0x5C]).sum(2) < 120
    assert mark.any()


def test_alarms_are_shown_spoken_and_acknowledged(shown):
    shown.asked.actions.clear()
    shown.beds[0].alert(id="x1", kind="vt")
    shown.until(
        "document.querySelector('.alarm strong')?.textContent === 'Ventricular tachycardia'"
    )
    row = shown.page.locator(".alarm").first
    assert row.get_attribute("data-priority") == "high"
    colour = row.evaluate("(each) => getComputedStyle(each).backgroundColor")
    assert colour == "rgb(217, 26, 56)"
    shown.until(
        "document.getElementById('spoken-urgent').textContent"
        " === 'HIGH alarm: Ventricular tachycardia, patient p1'"
    )
    row.get_by_role("button", name="Pause sound").click()
    row.get_by_role("button", name="Acknowledge").press("Enter")
    shown.until("document.getElementById('spoken').textContent === 'Acknowledge done'")
    assert shown.asked.actions == [PauseAudio("p1", 120.0, "page"), Acknowledge("p1", "x1", "page")]
    shown.beds[0].alert(
        id="x1",
        seq=2,
        phase=Phase.UPDATE,
        inactivation=Inactivation.ACKNOWLEDGED,
        acknowledged_by="nurse",
    )
    shown.until("document.querySelector('.alarm').classList.contains('acknowledged')")
    assert "acknowledged by nurse" in text(shown, ".alarm")
    shown.beds[0].alert(id="x1", seq=3, phase=Phase.END)
    shown.until("!document.querySelector('.alarm')")


def test_what_the_monitor_refuses_is_said(shown):
    shown.asked.outcome = Outcome(False, "that alarm is over")
    shown.beds[0].alert(id="r1", kind="af", priority=Priority.LOW)
    shown.page.get_by_role("button", name="Acknowledge").click()
    shown.until("document.getElementById('notice').textContent.includes('that alarm is over')")
    shown.asked.outcome = None
    shown.beds[0].alert(id="r1", seq=2, phase=Phase.END)
    shown.until("!document.querySelector('.alarm')")


def test_sound_only_when_asked_for_and_not_while_paused(shown):
    page, bed = shown.page, shown.beds[1]
    bed.alert(id="s1", priority=Priority.MEDIUM, kind="lead_off")
    shown.until("document.querySelector('.alarm')")
    assert page.evaluate("edgeView.sound.bursts") == 0
    page.get_by_role("button", name="Sound off").click()
    shown.until("edgeView.sound.bursts === 1")
    paused = {"priority": Priority.MEDIUM, "kind": "lead_off", "phase": Phase.UPDATE}
    bed.alert(id="s1", seq=2, inactivation=Inactivation.AUDIO_PAUSED, **paused)
    shown.until("document.querySelector('.alarm .since').textContent.includes('sound paused')")
    page.evaluate("edgeView.sound.bursts = 0")
    page.wait_for_timeout(400)
    assert page.evaluate("edgeView.sound.bursts") == 0
    bed.alert(id="s1", seq=3, phase=Phase.END)
    page.get_by_role("button", name="Sound on").click()


def test_one_patient_is_enlarged_with_trend_log_and_strips(shown):
    page, bed = shown.page, shown.beds[0]
    bed.strip()
    for step in (Phase.START, Phase.UPDATE, Phase.END):
        bed.alert(id="l1", phase=step, kind="af", priority=Priority.LOW)
    name = page.get_by_role("button", name="Patient p1: show details")
    name.focus()
    page.keyboard.press("Enter")
    shown.until("!document.getElementById('detail').hidden")
    assert page.locator("article:visible").count() == 1
    shown.until("document.querySelectorAll('#log li').length >= 3")
    shown.until("document.querySelectorAll('#strips button').length === 1")
    page.locator("#strips button").first.click()
    shown.until("document.getElementById('viewer').open")
    assert text(shown, "#viewer-title").startswith("Ventricular tachycardia, p1")
    for slider, value in (("#caliper-a", "200"), ("#caliper-b", "300")):
        page.locator(slider).evaluate(
            "(each, to) => { each.value = to; each.dispatchEvent(new Event('input')); }", value
        )
    assert text(shown, "#calipers").startswith("1000 ms · 60 bpm · ")  # a tenth of 10 s
    box = page.locator("#viewer-paper").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    page.mouse.up()
    assert text(shown, "#calipers").startswith(("500 ms", "499 ms", "501 ms"))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep a strip").click()
    shown.until("document.getElementById('spoken').textContent === 'AskStrip done'")
    assert shown.asked.actions[-1] == AskStrip("p1", "page")
    page.get_by_role("button", name="Measure the last 15 s").click()
    shown.until("document.getElementById('viewer').open")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    shown.until("document.getElementById('detail').hidden")


def test_settings_change_the_paper(shown):
    shown.page.get_by_role("button", name="Settings").click()
    shown.page.locator("#speed").select_option("50")
    shown.until("document.querySelector('.foot').textContent.includes('50 mm/s')")
    shown.page.locator("#theme").select_option("light")
    shown.until("getComputedStyle(document.body).backgroundColor === 'rgb(238, 241, 240)'")
    shown.page.locator("#speed").select_option("25")
    shown.page.locator("#theme").select_option("auto")
    shown.page.keyboard.press("Escape")


def test_every_control_has_a_name(shown):
    nameless = shown.page.evaluate(
        """[...document.querySelectorAll('button, input:not([hidden]), select, canvas')]
          .filter((each) => each.ariaHidden !== 'true' && !each.ariaLabel
            && !each.textContent.trim() && !each.labels?.length
            && !each.closest('[aria-hidden=true]') && each.id !== 'viewer-paper')
          .map((each) => each.outerHTML)"""
    )
    assert nameless == []


def test_token_in_the_address_opens_the_page_and_leaves_no_trace(chromium, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    settings = ViewSettings(listen="0", token_file=str(tmp_path / "token"))
    with opened(chromium, "p1", settings=settings) as locked:
        locked.until("!document.getElementById('login').hidden")
        locked.page.fill("#token", "not the right token")
        locked.page.get_by_role("button", name="Open").click()
        locked.until("document.getElementById('login-fault').textContent === 'wrong token'")
        locked.page.fill("#token", TOKEN)
        locked.page.keyboard.press("Enter")
        locked.until("edgeView.ward.ready && document.getElementById('login').hidden")
    with opened(chromium, "p1", settings=settings, fragment=f"#{TOKEN}") as open_page:
        open_page.until("edgeView.ward.ready")
        assert TOKEN not in open_page.page.url


def test_a_page_that_lost_its_server_says_so_and_finds_the_next_on_a_phone(chromium):
    with opened(chromium, "p1", has_touch=True) as phone:
        phone.page.set_viewport_size({"width": 360, "height": 740})
        phone.beds[0].samples(1000)
        phone.beds[0].state()
        phone.until("document.querySelector('.rate')?.textContent === '72'")
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert phone.page.evaluate(fits)
        phone.view.close()
        phone.until("document.getElementById('notice').textContent.startsWith('No connection')")
        assert text(phone, ".rate") == "--"
        at = phone.view.url.removeprefix("http://").strip("/")
        with served("p2", settings=ViewSettings(listen=at)) as (_, _, (bed,)):
            bed.state(heart_rate_bpm=50.0)
            phone.until("document.querySelector('.rate')?.textContent === '50'")
            assert phone.page.locator("article").count() == 1
            assert phone.page.locator("#notice").is_hidden()


def test_a_feed_that_falls_silent_is_replaced_and_its_picture_is_no_news(chromium, monkeypatch):
    with opened(chromium, "p1", hurried=True) as page:
        (bed,) = page.beds
        bed.state()
        page.until("document.querySelector('.rate')?.textContent === '72'")
        hung = []

        async def hang(self, socket):
            hung.append(socket)
            await socket.receive()  # the browser's wish to connect
            await socket.receive()  # its end

        with monkeypatch.context() as patch:
            patch.setattr(Attendance, "__call__", hang)
            page.page.clock.fast_forward(5000)
            page.until(f"{STATE} === 'silent'")
            assert text(page, ".rate") == "--"
            until(lambda: hung)
            page.page.clock.fast_forward(11_000)
            page.until(f"{STATE} === 'lost'")
        page.page.evaluate("edgeView.ward.ready = false")
        page.page.clock.fast_forward(1000)
        page.until(f"edgeView.ward.ready && {STATE} !== 'lost'")
        assert page.page.evaluate(STATE) == "silent"
        assert text(page, ".rate") == "--"
        bed.state(heart_rate_bpm=50.0)
        page.until(f"{STATE} === 'open' && document.querySelector('.rate').textContent === '50'")
        assert page.page.locator("#notice").is_hidden()


def test_a_page_that_is_refused_says_so_aloud_and_asks_again(chromium, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    settings = ViewSettings(listen="0", token_file=str(file))
    with opened(chromium, "p1", settings=settings, fragment=f"#{TOKEN}", hurried=True) as page:
        page.until("edgeView.ward.ready")
        page.page.get_by_role("button", name="Sound off").click()
        page.view.close()
        page.until(f"{STATE} === 'lost'")
        again = ViewSettings(
            listen=page.view.url.removeprefix("http://").strip("/"), token_file=str(file)
        )
        file.write_text(TOKEN[::-1])
        with served("p1", settings=again):
            page.page.clock.fast_forward(1000)
            page.until(f"{STATE} === 'refused' && edgeView.sound.bursts > 0")
            assert "no alarm is shown here" in text(page, "#notice")
            assert page.page.locator("#login").is_visible()
        file.write_text(TOKEN)
        with served("p1", settings=again):
            page.page.clock.fast_forward(9000)
            page.until(f"{STATE} === 'open'")
            assert page.page.locator("#login").is_hidden()


def until(found):
    """Wait until something is there."""
    deadline_s = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_the_sweep_goes_on_in_real_time(shown):
    """What comes is drawn, and the frames go on; how fast is for the benchmark to say."""
    bed, stop = shown.beds[0], threading.Event()

    def stream():
        while not stop.wait(SLICE / RATE_HZ):
            bed.samples(SLICE)

    feeder = threading.Thread(target=stream, daemon=True)
    shown.page.evaluate(
        "edgeView.frames.lags(); edgeView.ward.patients.get('p1').tile.sweep.lags = []"
    )
    frames = shown.page.evaluate("edgeView.frames.count")
    feeder.start()
    shown.until("edgeView.frames.lags().length >= 20")
    stop.set()
    feeder.join()
    assert shown.page.evaluate("edgeView.frames.count") > frames
    assert min(shown.page.evaluate("edgeView.frames.lags()")) > 0
