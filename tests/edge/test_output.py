"""Standard output that fails."""

import errno
import os

import pytest

from edge.output import Output


def full():
    return open("/dev/full", "w")  # noqa: PTH123


def test_a_full_disk_is_survived_and_said_once(caplog):
    with full() as stream:
        output = Output(stream)
        for _ in range(3):
            assert output.write("abc") == 3
        output.check()
    assert [record.getMessage() for record in caplog.records] == [
        f"standard output: {os.strerror(errno.ENOSPC)}; nothing more is shown"
    ]


def test_a_reader_that_went_is_told_by_check_alone(caplog):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        output = Output(stream)
        output.check()
        output.write("abc")
        output.write("def")
        with pytest.raises(BrokenPipeError):
            output.check()
    assert not caplog.records
