import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.record import RecordingError, open_recording
from edge.record.shelf import pieces_of
from firmware_bridge.stream import Chunk, Gap
from tests.edge.record.recorded import (
    blocks,
    by_index,
    lost,
    record_events,
    streams,
    written,
)

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def files_of(root):
    return [path.read_bytes() for path in pieces_of(Path(root) / "p")]


def read_back(folder, contents):
    """What is read of pieces with these contents."""
    for number, content in enumerate(contents, 1):
        (Path(folder) / f"{number:08d}-20270115T080000Z.edgerec").write_bytes(content)
    try:
        return list(open_recording(Path(folder)).read())
    except RecordingError:
        return []


@few
@given(streams())
def test_what_was_pushed_is_read_back_bit_for_bit(drawn):
    with tempfile.TemporaryDirectory() as root:
        events = record_events(root, drawn)
        chunks = [each for each in events if isinstance(each, Chunk)]
        gaps = [(e.start, e.length, e.cause) for e in events if isinstance(e, Gap)]
        entries = written(Path(root)) if pieces_of(Path(root) / "p") else []
    assert by_index(blocks(entries)) == by_index(chunks)
    assert lost(entries) == gaps


@few
@given(streams(), st.data())
def test_a_file_cut_anywhere_reads_as_a_prefix(drawn, data):
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as other:
        record_events(root, drawn)
        whole = files_of(root)
        full = by_index(blocks(written(Path(root)))) if whole else []
        cut = data.draw(st.integers(0, len(whole[-1]) if whole else 0))
        torn = [*whole[:-1], whole[-1][:cut]] if whole else []
        found = by_index(blocks(read_back(other, torn)))
    assert found == full[: len(found)]
    if whole and cut == len(whole[-1]):
        assert found == full


@few
@given(streams(), st.data())
def test_a_flipped_byte_never_gives_a_wrong_sample(drawn, data):
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as other:
        record_events(root, drawn)
        contents = files_of(root)
        if not contents:
            return
        full = by_index(blocks(written(Path(root))))
        piece = data.draw(st.integers(0, len(contents) - 1))
        at = data.draw(st.integers(0, len(contents[piece]) - 1))
        flipped = bytearray(contents[piece])
        flipped[at] ^= data.draw(st.integers(1, 255))
        contents[piece] = bytes(flipped)
        entries = read_back(other, contents)
        found = by_index(blocks(entries))
    assert set(found) <= set(full)
    assert [index for index, *_ in found] == sorted({index for index, *_ in found})


def test_after_damage_the_rest_is_read_and_the_damage_is_a_gap(tmp_path):
    from edge.pipeline import Step
    from tests.edge.record.recorded import ManualClock, Stream, record

    stream = Stream(ManualClock())
    chunks = [stream.chunk([[k]] * 100) for k in range(5)]
    record(tmp_path, *(Step((each,)) for each in chunks), clock=stream.clock, stream=stream)
    (path,) = pieces_of(tmp_path / "p")
    content = bytearray(path.read_bytes())
    third = content.index(chunks[2].samples_uv.tobytes())
    content[third + 7] ^= 1
    path.write_bytes(content)
    entries = written(tmp_path)
    assert lost(entries) == [(200, 100, "damaged")]
    assert by_index(blocks(entries)) == by_index([*chunks[:2], *chunks[3:]])
