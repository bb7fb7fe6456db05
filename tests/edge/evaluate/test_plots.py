"""Pictures of reports: drawn for every task and format, with what the reader looks for in them."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import StorageError, UsageError
from edge.evaluate.alarms import alarm_rows, alarms_summary
from edge.evaluate.beats import beats_row, beats_summary
from edge.evaluate.cinc import cinc_row, cinc_summary
from edge.evaluate.plots import check_target, draw
from edge.evaluate.plots.cinc import roc
from edge.evaluate.plots.picture import picture
from edge.evaluate.qrs import qrs_row, qrs_summary
from edge.evaluate.rhythm import rhythm_row, rhythm_summary
from tests.edge.evaluate.annotated import heard, reference

pytest.importorskip("matplotlib")

BEATS_S = 300.0 + np.arange(100)
STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def report(task, rows, summary):
    return {
        "task": task,
        "folder": "mitdb",
        "records": rows,
        **summary,
        "signal": {
            "lead": 0,
            "noise": {"record": "em", "snr_db": 6.0, "method": "nst", "from": "half"},
        },
        "bundle": {"name": "tcn-s", "version": "9.9"},
        "commit": "abc1234",
    }


def qrs(records=3):
    peers = {"other": np.array([310 * 250])}
    rows = [qrs_row(f"{k}", reference(BEATS_S), heard(BEATS_S[k:]), peers) for k in range(records)]
    return report("qrs", rows, qrs_summary(rows))


def beats():
    rows = [beats_row("a", reference(BEATS_S, "NV" * 50), heard(BEATS_S, "VN" * 50))]
    return report("beats", rows, beats_summary(rows))


def episodes():
    known = reference(rhythms=[("AFIB", 400, 500)])
    rows = [rhythm_row("a", known, heard(alarms=[("af", 410, 440, 510)]))]
    return report("rhythm", rows, rhythm_summary(rows))


def scored(label, af):
    hop = {"normal": 0.5 - af / 2, "af": af, "other": 0.4 - af / 3, "noise": 0.0}
    return cinc_row(f"{label}{af}", label, heard(rhythm=[hop]))


def cinc():
    rows = [scored(*pair) for pair in (("A", 0.9), ("A", 0.4), ("N", 0.4), ("O", 0.1), ("~", 0.8))]
    return report("rhythm", rows, cinc_summary(rows))


def alarms():
    known = reference(rhythms=[("VT", 100, 110)])
    rows = alarm_rows("a", known, heard(alarms=[("vt", 100, 104, 116), ("af", 400, 430, 500)]))
    return report("alarms", rows, alarms_summary(rows))


def nothing():
    """A report whose percentages are all of nothing."""
    rows = [rhythm_row("a", reference(), heard())]
    return report("rhythm", rows, rhythm_summary(rows))


REPORTS = [qrs, beats, episodes, cinc, alarms, nothing]


@pytest.mark.parametrize("make", REPORTS)
def test_every_report_has_a_picture_that_says_what_it_is_of(make):
    made = make()
    title = picture(made).get_suptitle()
    for word in (made["task"], "mitdb", "lead 0", "em noise at 6 dB", "tcn-s 9.9", "abc1234"):
        assert word in title


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_chooses_the_format(suffix, tmp_path):
    file = tmp_path / f"a{suffix}"
    check_target(file)
    draw(alarms(), file)
    assert file.read_bytes().startswith(STARTS[suffix])
    assert file.stat().st_size > 5_000


def texts(figure):
    """All that is written in the panels and their legends."""
    found = []
    for axes in figure.axes:
        legend = axes.get_legend()
        found += [axes.get_title(), *(text.get_text() for text in axes.texts)]
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (qrs, ["Se 99.00", "missed (FN), 3 in all", " 297 (Se 1.00, +P 100.00)"]),
        (beats, ["VEB by record", "50"]),
        (episodes, ["AF: 1 episodes, 1 claimed", "none in any record"]),
        (cinc, ["AUROC 0.8750", "as decided: Se 100.0, Sp 50.0"]),
        (alarms, ["conditions and alarms in 0.5 h", "  1 true"]),
    ],
)
def test_figures_of_the_report_stand_in_the_picture(make, words):
    assert set(words) <= set(texts(picture(make())))


def test_many_records_are_not_named_one_by_one():
    figure = picture(qrs(records=80))
    assert figure.axes[0].get_xlabel() == "80 records, in order"
    assert figure.get_figwidth() < 19


def test_the_roc_curve_steps_through_scores_and_has_the_area_reported():
    made = cinc()
    false, true = roc(made["records"])
    assert false.tolist() == [0, 0, 50, 100]  # the pair of 0.4 moves together; noise is left out
    assert true.tolist() == [0, 50, 100, 100]
    area = np.trapezoid(true, false) / 1e4
    assert area == pytest.approx(made["gross"]["af"]["auroc"])


def test_a_roc_curve_of_nothing_is_a_point():
    assert [rates.tolist() for rates in roc([])] == [[0], [0]]


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png/"])
def test_another_suffix_is_refused(name, tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError, match="--plot"):
        check_target(tmp_path / name)


def test_a_file_that_may_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.evaluate.plots.picture.os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match="may not be written"):
        check_target(tmp_path / "a.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.evaluate.plots.picture.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"edge\[plot\]"):
        check_target(tmp_path / "a.png")


def test_a_disk_that_fails_later_is_one_clear_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        draw(cinc(), tmp_path / "gone" / "a.png")
