import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.capture import (
    WRITTEN,
    CaptureHeader,
    CaptureWriter,
    commands_of,
    is_capture,
    read_capture,
)
from firmware_bridge.errors import SourceError, SourceUriError
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.source import open_source
from firmware_bridge.stream import Packet

CHANNELS = st.text(max_size=40).filter(lambda name: name != WRITTEN)
PACKETS = st.lists(
    st.tuples(st.binary(max_size=300), st.integers(0, 10**10), CHANNELS), max_size=20
)


def written(path, packets, header=None):
    writer = CaptureWriter(path, header or CaptureHeader("native"))
    for data, host_ns, channel in packets:
        writer.write(Packet(data, host_ns, channel))
    writer.close()
    return path


@given(PACKETS)
def test_what_is_written_is_read(tmp_path_factory, made):
    made = sorted(made, key=lambda each: each[1])
    path = tmp_path_factory.mktemp("capture") / "x.cap"
    header = CaptureHeader("native", {"leads": "I"}, "serial:///dev/ttyACM0")
    written(path, made, header)
    assert is_capture(path)
    found, packets = read_capture(path)
    assert found == header
    start_ns = made[0][1] if made else 0
    assert [(p.data, p.due_ns, p.channel) for p in packets] == [
        (data, host_ns - start_ns, channel) for data, host_ns, channel in made
    ]


@pytest.fixture
def patch_capture(tmp_path):
    """Five seconds of the virtual patch, captured, and its frames."""
    frames = list(VirtualPatch(PatchConfig(duration_s=5.0)).frames())
    packets = [(frame.data, frame.due_ns, "") for frame in frames]
    return written(tmp_path / "patch.cap", packets), frames


def decoded(source):
    source.transport.open()
    frames = []
    while True:
        try:
            packet = source.transport.read(1.0)
        except EOFError:
            return frames
        frames += source.decoder.push(packet)


def test_a_capture_plays_back_exactly(patch_capture):
    path, sent = patch_capture
    source = open_source(f"replay:{path}?speed=max")
    assert source.finite
    frames = decoded(source)
    assert len(frames) == len(sent)
    assert source.decoder.count.bad_frames == 0


def test_a_capture_that_was_cut_off_gives_every_whole_packet(patch_capture):
    path, sent = patch_capture
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert len(decoded(open_source(f"replay:{path}?speed=max"))) == len(sent) - 1


def test_what_was_written_to_the_device_is_kept_and_not_played_back(tmp_path):
    path = tmp_path / "x.cap"
    writer = CaptureWriter(path, CaptureHeader("native"))
    writer.wrote(b"start", 1_000)
    writer.write(Packet(b"a", 900, "x"))  # waited in an inbox while the command was written
    writer.wrote(b"stop", 5_000)
    writer.close()
    assert [(each.data, each.channel) for each in read_capture(path)[1]] == [(b"a", "x")]
    assert [each.data for each in commands_of(path)] == [b"start", b"stop"]


def test_a_capture_of_the_former_version_is_read(tmp_path):
    path = written(tmp_path / "x.cap", [(b"abc", 0, "")])
    path.write_bytes(path.read_bytes().replace(b'"edge_capture": 2', b'"edge_capture": 1'))
    assert [each.data for each in read_capture(path)[1]] == [b"abc"]


def test_every_packet_is_with_the_system_once_it_is_written(tmp_path):
    """A process that is killed leaves all of them behind."""
    path = tmp_path / "x.cap"
    writer = CaptureWriter(path, CaptureHeader("native"))
    for k in range(3):
        writer.write(Packet(bytes([k]), k * 6 * 10**9))
        assert len(list(read_capture(path)[1])) == k + 1
    writer.close()


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    writer = CaptureWriter(tmp_path / "x.cap", CaptureHeader("native"))

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_file", Full())
    with pytest.raises(SourceError, match="No space left"):
        writer.write(Packet(b"a", 0))


def test_packets_out_of_their_order_are_damage(tmp_path):
    path = written(tmp_path / "x.cap", [(b"a", 0, ""), (b"b", 5, ""), (b"c", 3, "")])
    with pytest.raises(SourceError, match="record 3"):
        list(read_capture(path)[1])


def test_a_damaged_capture_says_where(tmp_path):
    path = written(tmp_path / "x.cap", [(b"abc", 0, ""), (b"def", 5, "")])
    data = bytearray(path.read_bytes())
    start = data.index(b"\n") + 1
    data[start + 9 : start + 13] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    _, packets = read_capture(path)
    with pytest.raises(SourceError, match=f"damaged at byte {start}"):
        list(packets)


@pytest.mark.parametrize(
    "line",
    [b'{"edge_capture": 1}', b'{"edge_capture": 3, "device": "native"}', b'{"edge_capture": ', b""],
)
def test_a_header_that_is_none_is_refused(tmp_path, line):
    path = tmp_path / "x.cap"
    path.write_bytes(line)
    with pytest.raises(SourceError, match=r"x\.cap"):
        read_capture(path)


def test_a_file_is_never_overwritten(tmp_path):
    path = written(tmp_path / "x.cap", [])
    with pytest.raises(SourceError, match="never overwrite"):
        CaptureWriter(path, CaptureHeader("native"))
    with pytest.raises(SourceError, match="cannot be written"):
        CaptureWriter(tmp_path / "none" / "x.cap", CaptureHeader("native"))


def test_an_option_for_recordings_is_refused(patch_capture):
    path, _ = patch_capture
    with pytest.raises(SourceUriError, match="takes no via="):
        open_source(f"replay:{path}?via=serial")


def test_an_unknown_device_is_named(tmp_path):
    path = written(tmp_path / "x.cap", [], CaptureHeader("toaster"))
    with pytest.raises(SourceUriError, match="toaster"):
        open_source(f"replay:{path}")
