"""Records read from bare pages, as a rescue reads them."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import Outbox
from edge.outbox.pages import records
from edge.outbox.rescue import rescue
from edge.outbox.wal import apply_log
from tests.edge.outbox.messages import message

SIZES = (0, 100, 4000, 4061, 4062, 4100, 9000, 70_000)


def test_every_row_of_a_killed_process_is_found(path: Path) -> None:
    """Rows of all sizes, some of them only in the log, some longer than a page."""
    with closing(Outbox(path)) as outbox:
        for seq, size in enumerate(SIZES, start=1):
            outbox.put(message(seq, size=size), b"state %d" % seq)
        killed = path.parent.with_name("killed")
        shutil.copytree(path.parent, killed)
    image = bytearray((killed / path.name).read_bytes())
    assert apply_log(image, killed / f"{path.name}-wal") > 0
    found = [each for each in records(image) if len(each) == 13]
    by_seq = {each[4]: each[7] for each in found}
    assert {seq: len(payload) for seq, payload in by_seq.items()} == dict(enumerate(SIZES, start=1))
    (killed / path.name).write_bytes(b"\0" * 4096 + image[4096:])
    rescued = rescue(killed / path.name, lambda: False)
    assert [each.message for each in rescued.ordered()] == [
        message(seq, size=size) for seq, size in enumerate(SIZES, start=1)
    ]
    assert rescued.patients["p1"].snapshot == b"state 8"


def test_a_rescue_ends_when_its_time_does(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        for seq in range(1, 20):
            outbox.put(message(seq))
    asked = iter([False] * 5 + [True] * 100)
    assert len(rescue(path, lambda: next(asked)).messages) < 10


def test_without_a_log_nothing_is_applied(tmp_path: Path) -> None:
    image = bytearray(8192)
    assert apply_log(image, tmp_path / "none") == 0
    (tmp_path / "junk").write_bytes(b"junk" * 100)
    assert apply_log(image, tmp_path / "junk") == 0
    assert image == bytearray(8192)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 4000))
def test_no_bytes_raise(junk: bytes, offset: int) -> None:
    page = bytearray(8192)
    page[0] = page[100] = page[4096] = 0x0D
    page[offset : offset + len(junk)] = junk
    for record in records(bytes(page)):
        assert isinstance(record, list)
