"""The page in a real browser: nothing is fetched, everything is seen, it fits a phone and paper."""

import os
import shutil

import pytest

from edge.cli import main
from tests.edge.holter.made import record
from tests.edge.holter.test_report import everything


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """Opens the page in a window of that size; also what was asked of the network, and errors."""
    api = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine (sudo apt install chromium, or set CHROMIUM)")
    folder = tmp_path_factory.mktemp("browser")
    record(folder, everything())
    html = folder / "x.html"
    assert main(["report", str(folder), "--output", str(html), "--until", "70"]) == 0
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])

        def opened(width, height):
            page, said = browser.new_page(viewport={"width": width, "height": height}), []
            page.on("request", lambda asked: said.append(asked.url))
            page.on("console", lambda message: said.append(message.text))
            page.goto(html.as_uri())
            return page, [each for each in said if each != html.as_uri()]

        yield opened
        browser.close()


def test_nothing_is_fetched_and_every_picture_has_its_size(page_of):
    page, said = page_of(1000, 1300)
    assert said == []
    boxes = page.evaluate(
        "[...document.querySelectorAll('svg')].map(each => each.getBoundingClientRect())"
        ".map(box => [box.width, box.height])"
    )
    assert len(boxes) > 6
    assert all(width > 300 and height > 30 for width, height in boxes)
    strip = page.locator("svg[aria-label^='ECG strip']").first.bounding_box()
    assert strip["width"] == pytest.approx(175 * 96 / 25.4, abs=2)  # 25 mm/s is 25 mm/s


def test_it_fits_a_phone(page_of):
    page, _ = page_of(390, 800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_prints_on_a4_with_the_summary_first(page_of):
    page, _ = page_of(1000, 1300)
    page.emulate_media(media="print")
    pages = page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n")
    assert pages >= 5
    heading = page.locator("h2", has_text="Heart rate variability")
    assert heading.evaluate("each => getComputedStyle(each).breakBefore") == "page"
