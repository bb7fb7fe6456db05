"""The HTML report: whole, self-contained, and safe with any text in it."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.distribution import distribution, histogram
from edge.bench.page import check_target, page, write_page
from edge.bench.remarks import remarks
from edge.bench.report import ColdStart, Part
from edge.bench.svg import Axis, bars, histogram_plot, line_plot, ranges, stacked
from edge.bench.tables import summary, tables
from edge.errors import StorageError, UsageError
from tests.edge.bench.made_reports import alerts, environment, paced, report

COMPILED = ColdStart(
    rounds=3,
    parts=[Part(name="kernels", median_ms=300.0, first_ms=20_000.0)],
    total_median_ms=900.0,
    total_first_ms=21_000.0,
    memory_mb=150.0,
)
VOID = {"meta", "br", "line", "rect", "polyline"}


class Reader(HTMLParser):
    """Checks that tags close in order; keeps text, attributes and figures."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(made):
    reader = Reader()
    reader.feed(page(made))
    reader.close()
    assert reader.open == []
    return reader


def test_a_page_needs_nothing_but_itself():
    reader = read(report())
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in reader.seen}
    for _, attributes in reader.seen:
        assert not {"src", "href", "onload", "xlink:href"} & attributes.keys()
    made = page(report())
    assert "http://" not in made
    assert "https://" not in made
    assert "url(" not in made
    assert "default-src 'none'" in made


def test_a_page_shows_every_figure_of_the_tables():
    reader = read(report(notes=["mind the load"]))
    text = " ".join(reader.text)
    for table in tables(report()):
        assert table.title in text
        for row in table.rows:
            assert all(cell in text for cell in row)
    for _, value in summary(report()):
        assert value in text
    assert "mind the load" in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_draws_its_plots_as_well_formed_svg():
    made = page(report())
    drawn = [part.split("</svg>")[0] for part in made.split("<svg")[1:]]
    assert len(drawn) == 9
    for each in drawn:
        ElementTree.fromstring(f"<svg{each}</svg>")


def test_what_was_not_measured_is_left_out():
    few = report(alerts=None, cold_start=None, model=None, providers=[], paced=paced(timeline=[]))
    text = " ".join(read(few).text)
    assert "PUBACK" not in text
    assert "none: rules alone" in text


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=30))
def test_no_text_becomes_markup(text):
    hostile = f"<script>{text}</script>\"'&"
    made = report(command=hostile, notes=[hostile], environment=environment(board=hostile))
    assert "script" not in {tag for tag, _ in read(made).seen}


numbers = st.floats(1e-6, 1e9)


@settings(max_examples=20, deadline=None)
@given(st.lists(numbers, max_size=100), st.sampled_from(["us", "ms"]))
def test_any_values_can_be_drawn(values, unit):
    told = distribution(values)
    drawn = [
        ranges("ranges", [("a", told), ("b", distribution([]))], unit),
        histogram_plot("histogram", histogram(values), unit, [("p50", told.p50), ("x", None)]),
        stacked("stacked", [("a", value) for value in values], unit),
        bars("bars", [("a", value) for value in values], unit),
        line_plot("line", list(enumerate(values)), unit),
    ]
    for each in drawn:
        assert not each or ElementTree.fromstring(each).tag == "figure"
        assert "nan" not in each
        assert "inf" not in each
    assert all(drawn[:4]) == bool(values)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_on_the_axis(low, width):
    axis = Axis(low, low + width, "s")
    assert all(axis.low - 1e-6 * width <= tick <= axis.high + 1e-6 * width for tick in axis.ticks)
    assert len(axis.ticks) <= 8


@pytest.mark.parametrize("name", ["", "none/page.html"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(name, tmp_path):
    with pytest.raises(UsageError, match="--html"):
        check_target(tmp_path / name)


def test_a_page_is_written(tmp_path):
    path = tmp_path / "page.html"
    check_target(path)
    write_page(report(), path)
    assert path.read_text(encoding="utf-8") == page(report())
    with pytest.raises(StorageError, match="cannot be written"):
        write_page(report(), tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"environment": environment(load_1min=3.0)}, "run it when idle"),
        ({"environment": environment(governor="ondemand")}, "governor ondemand"),
        ({"model": None}, "rules alone"),
        ({"cold_start": COMPILED}, "`edge warmup`"),
        ({"paced": paced(kept_up=False)}, "did not keep up"),
        ({"alerts": None}, "no MQTT broker"),
        ({"alerts": msgspec.structs.replace(alerts(), filesystem="tmpfs")}, "lay in memory"),
        ({"alerts": msgspec.structs.replace(alerts(), undelivered=3)}, "had no PUBACK"),
        (
            {"alerts": msgspec.structs.replace(alerts(), end_to_end_ms=distribution([1.0]))},
            "p99 takes 662",
        ),
    ],
)
def test_a_reader_is_told_what_spoils_a_figure(changed, said):
    told = remarks(report(**changed))
    assert [said in line for line in told] == ([] if said is None else [True])
