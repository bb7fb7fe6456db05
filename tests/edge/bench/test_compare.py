"""Two reports beside each other, and everything that is none."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.compare import compare, load_report, verdict
from edge.bench.figures import figures
from edge.cli import main
from edge.errors import UsageError
from tests.edge.bench.made_reports import environment, paced, report

values = st.floats(0, 1e6)
thresholds = st.floats(0, 200)
directions = st.sampled_from(["lower", "higher"])
OPPOSITE = {"worse": "better", "better": "worse", "same": "same"}


def saved(path, made):
    path.write_bytes(msgspec.json.encode(made))
    return str(path)


@settings(max_examples=60, deadline=None)
@given(values, values, directions, thresholds)
def test_what_is_worse_one_way_is_better_the_other_way(a, b, better, percent):
    assert verdict(b, a, better, percent) == OPPOSITE[verdict(a, b, better, percent)]


@settings(max_examples=60, deadline=None)
@given(values, values, directions, thresholds, thresholds)
def test_a_wider_threshold_finds_no_more_changes(a, b, better, first, second):
    narrow, wide = sorted([first, second])
    found = verdict(a, b, better, wide)
    assert found in ("same", verdict(a, b, better, narrow))


@settings(max_examples=60, deadline=None)
@given(values, directions)
def test_nothing_changes_where_nothing_changed(value, better):
    assert verdict(value, value, better, 0.0) == "same"


def test_a_report_is_like_itself():
    compared = compare(report(), report(), 0.0)
    assert compared.ok
    assert compared.differences == []
    assert {row.verdict for row in compared.figures} == {"same"}
    assert {row.ratio for row in compared.figures} <= {1.0, None}


def test_every_time_that_doubles_is_worse_and_its_way_back_better():
    slow = compare(report(), report(2.0), 10.0)
    rows = {row.figure: row for row in slow.figures}
    assert not slow.ok
    assert rows["alert: last byte to PUBACK p99"].ratio == pytest.approx(2.0)
    assert rows["alert: last byte to PUBACK p99"].verdict == "worse"
    assert rows["unpaced: streams a core"].better == "higher"
    assert rows["unpaced: streams a core"].ratio == pytest.approx(0.5)
    assert rows["unpaced: streams a core"].verdict == "worse"
    assert rows["delay: vf"].verdict == "same"
    back = compare(report(2.0), report(), 10.0)
    assert back.ok
    assert {row.figure for row in back.figures if row.verdict == "better"} == {
        row.figure for row in slow.figures if row.verdict == "worse"
    }


def test_a_device_that_no_longer_keeps_up_is_worse():
    late = report(paced=paced(kept_up=False))
    rows = {row.figure: row.verdict for row in compare(report(), late, 50.0).figures}
    assert rows["paced: kept up"] == "worse"


def test_a_figure_that_one_report_lacks_is_absent_and_fails_nothing():
    compared = compare(report(), report(alerts=None, cold_start=None), 10.0)
    rows = {row.figure: row for row in compared.figures}
    assert rows["cold start"].verdict == "absent"
    assert rows["cold start"].ratio is None
    assert compared.ok


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"environment": environment(cpu="Cortex-A72")}, "cpu: Cortex-A76 and Cortex-A72"),
        ({"environment": environment(cores_usable=1)}, "cores usable: 4 and 1"),
        ({"paced": paced(streams=8)}, "streams: 1 and 8"),
    ],
)
def test_another_machine_or_load_is_refused_unless_told(other, said):
    with pytest.raises(UsageError, match="--anyway") as caught:
        compare(report(), report(**other), 10.0)
    assert said in str(caught.value)
    assert said in compare(report(), report(**other), 10.0, anyway=True).differences


def test_what_a_comparison_is_made_for_is_named_and_not_refused():
    other = report(commit="def", environment=environment(libraries={"edge": "0.2.0"}))
    assert compare(report(), other, 10.0).differences == [
        "edge: abc and def",
        "edge: 0.1.0 and 0.2.0",
        "numpy: 2.4.6 and None",
    ]


def test_all_figures_have_names_of_their_own():
    named = figures(report())
    assert len(named) > 20
    assert all(figure.value is not None for name, figure in named.items() if "energy" not in name)


def test_the_command_exits_with_10_where_something_got_worse(tmp_path, capsys):
    a, b = saved(tmp_path / "a.json", report()), saved(tmp_path / "b.json", report(1.5))
    assert main(["bench", "compare", a, b]) == 10
    shown = capsys.readouterr()
    assert "alert: last byte to PUBACK p50" in shown.out
    assert "worse beyond 10 %" in shown.err
    assert main(["bench", "compare", a, b, "--threshold", "60", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["bench", "compare", b, a]) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no report of `edge bench --json`"),
        (b"\x00\xff", "is no report of `edge bench --json`"),
        (b"[" * 100_000, "is no report of `edge bench --json`"),
        (b'{"schema":1,"task":"qrs"}', "is no report of `edge bench --json`"),
        (b'{"schema":2,"task":"bench"}', "a report of version 2"),
        (b" " * (17 << 20), "larger than any report"),
    ],
)
def test_a_file_that_is_no_report_is_said_to_be_none(content, said, tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert main(["bench", "compare", str(path), str(path)]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert str(path) in message
    assert len(message.splitlines()) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_report(tmp_path / "none.json")


@pytest.mark.parametrize("percent", ["-1", "nan", "inf", "ten"])
def test_a_threshold_is_a_percentage(percent, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "compare", "a", "b", f"--threshold={percent}"])
    assert ended.value.code == 2
