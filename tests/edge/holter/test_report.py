"""`edge report` as users call it: files, figures, and what it says of bad input."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge.cli import main
from tests.edge.holter.made import Run, record, regular

VOID = {"meta", "br", "link", "img", "path", "svg"}


class Balanced(HTMLParser):
    """What is opened is closed; remembers tags and text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def everything():
    """Alarms, ectopy, AF, a pause, a gap and noise."""
    beats = [
        *regular(100),
        (100.3, "V"),
        (102.9, "N"),
        *[(103 + k * 0.8, "N") for k in range(1, 90)],
    ]
    return Run(
        200,
        beats,
        gaps=[(150, 10)],
        bad={20: 8},
        rhythm=[(0, "normal"), (110, "af"), (145, "normal")],
        alarms=[(30, 38, "vt", "high"), (112, 150, "af", "low"), (60, 61, "pause", "medium")],
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return record(tmp_path_factory.mktemp("report"), everything())


@pytest.fixture(scope="module")
def html(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "night.html"
    assert main(["report", str(root), "--output", str(path)]) == 0
    return path


def test_the_page_stands_alone_and_is_whole(html):
    page = Balanced()
    page.feed(html.read_text())
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|url\(|@import|src=", html.read_text())
    assert all("aria-label" in each for tag, each in page.tags if tag == "svg")


def test_the_page_says_what_there_was(html):
    page = Balanced()
    page.feed(html.read_text())
    text = "\n".join(page.text)
    for said in (
        "Not a medical device, and not a diagnosis.",
        "Alarms: 1 high (1 VT); 1 medium (1 pause); 1 low (1 AF).",
        "Longest RR interval: 2.60 s at 08:01:40; 1 of 2 s and more, 0 of 3 s and more.",
        "1 episode, the longest 35 s",
        "Ventricular beats: 1 (",
        "High: VT at 08:00:30 for 8.0 s",
        "Full disclosure",
        "Method and limits",
    ):
        assert said in text


def test_text_of_a_recording_cannot_become_markup(tmp_path):
    run = everything()
    run.alarms = [(30, 38, "<script>x</script>", 'high"><b>')]
    run.leads = ("<i>I", "II&")
    record(tmp_path, run)
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "x.html")]) == 0
    page = Balanced()
    page.feed((tmp_path / "x.html").read_text())
    assert not {tag for tag, _ in page.tags} & {"script", "b", "i"}


def test_figures_as_json_and_no_file(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["patient"], told["files"]) == ("p", [])
    assert told["start"] == "2027-01-15T08:00:00.000Z"
    assert told["coverage"]["recorded_s"] == 190
    assert told["beats"]["V"] == told["ventricular"]["single"] == 1
    assert told["pauses"]["longest_rr_s"]["value"] == 2.6
    assert told["af"]["episodes"] == [{"start": "2027-01-15T08:01:50.000Z", "duration_s": 35.0}]
    assert [each["kind"] for each in told["alarms"]] == ["vt", "pause", "af"]
    assert list(tmp_path.iterdir()) == []


def test_a_patient_in_a_crafted_recording_names_no_other_folder(tmp_path, monkeypatch):
    record(tmp_path / "r", Run(3, regular(3)), patient="..")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (piece,) = tmp_path.glob("*.edgerec")
    assert main(["report", str(piece)]) == 0
    assert [each.name for each in (tmp_path / "work").iterdir()] == ["__-report.html"]


def test_without_a_name_the_file_is_the_patients(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(root)]) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["p-report.html"]
    assert "Alarms: 1 high" in capsys.readouterr().out


def test_pdf_has_its_pages(root, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "night.pdf"
    assert main(["report", str(root), "--output", str(path), "--until", "9"]) == 0
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) >= 4
    assert b"/CreationDate" not in content


def test_a_time_zone_moves_the_times_shown_only(root, tmp_path, capsys):
    path = tmp_path / "x.html"
    words = ["report", str(root), "--output", str(path), "--timezone", "Asia/Kolkata", "--json"]
    assert main(words) == 0
    assert "VT at 13:30:30" in path.read_text()
    assert "Asia/Kolkata, UTC+05:30" in path.read_text()
    assert json.loads(capsys.readouterr().out)["start"] == "2027-01-15T08:00:00.000Z"


def test_a_device_without_ecg_has_a_report_without_strips(tmp_path, capsys):
    record(tmp_path, Run(120, regular(120, label="U"), sends_ecg=False, rhythm=[]))
    path = tmp_path / "x.html"
    assert main(["report", str(tmp_path), "--output", str(path)]) == 0
    said = capsys.readouterr().out
    assert "No ECG: the device tells its beats only" in said
    assert "Atrial fibrillation: no alarm; no network told the rhythm" in said
    assert "Full disclosure" not in path.read_text()


def test_without_a_network_few_intervals_tell_nothing_of_fibrillation(tmp_path, capsys):
    record(tmp_path, Run(90, regular(90, label="U"), sends_ecg=False, rhythm=[]))
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "x.html")]) == 0
    assert "Atrial fibrillation: could not be judged." in capsys.readouterr().out


def test_a_recording_whose_end_is_torn_off_is_read_up_to_there(root, tmp_path, capsys):
    shutil.copytree(root / "p", tmp_path / "p")
    (piece,) = (tmp_path / "p").iterdir()
    with piece.open("r+b") as file:
        file.truncate(piece.stat().st_size // 2)
    assert main(["report", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 80 < told["coverage"]["duration_s"] < 120
    assert sum(told["beats"].values()) > 90


def test_a_recording_without_beats_has_a_report(tmp_path, capsys):
    record(tmp_path, Run(30, []))
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "x.html")]) == 0
    assert "no beats that can be counted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 4, "nowhere: cannot be read"),
        (["empty"], 4, "empty: no recording"),
        (["text.edgerec"], 4, "text.edgerec: no recording"),
        (["two"], 4, "several patients: a, b; say --patient ID"),
        (["two", "--patient", "c"], 4, "no recording of 'c'; there are: a, b"),
        (["two", "--patient", "a", "--from", "soon"], 2, "'soon' is no time"),
        (["two", "--patient", "a", "--from", "9:00:00"], 4, "nothing to report"),
        (["two", "--patient", "a", "--output", "x.doc"], 2, "end its name with .html or .pdf"),
        (["two", "--patient", "a", "--output", "no/x.html"], 2, "there is no folder no"),
        (["two", "--patient", "a", "--timezone", "../x"], 2, "--timezone ../x: unknown"),
    ],
)
def test_bad_input_is_told_in_one_line(words, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.edgerec").write_text("hello")
    for patient in "ab":
        record(tmp_path / "two", Run(3, regular(3)), patient=patient)
    assert main(["report", *words]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))


def test_without_matplotlib_one_line_says_what_to_install(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_pdf", None)
    assert main(["report", str(root), "--output", str(tmp_path / "x.pdf")]) == 2
    assert "pip install 'edge[plot]'" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_leaves_no_half_file(root, tmp_path, monkeypatch, capsys):
    (tmp_path / "x.html.unfinished").symlink_to("/dev/full")
    assert main(["report", str(root), "--output", str(tmp_path / "x.html")]) == 1
    assert "x.html: cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_loads_no_heavy_library_for_a_page(root, tmp_path):
    import subprocess

    program = (
        "import sys; from edge.cli import main; "
        f"main(['report', {str(root)!r}, '--output', {str(tmp_path / 'x.html')!r}]); "
        "print(sorted({'matplotlib', 'scipy', 'numba', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
