"""Pages of mapped files are given back, and nothing that a process has written is lost."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import numpy as np
import pytest

from edge.mapped_pages import give_back

PAGES = 64
ATTEMPTS = 100
needs_pagemap = pytest.mark.skipif(
    not Path("/proc/self/pagemap").exists(), reason="this system does not tell of its pages"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "libcompiler.so.1"
    path.write_bytes(bytes(k % 251 for k in range(PAGES * mmap.PAGESIZE)))
    return path


def mapped(path: Path, access: int) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, access)


def assert_given_back(pages: mmap.mmap) -> None:
    """A system that runs short takes pages by itself: looked at while one of them is surely here,
    for what is held at the moment is all that can be given back."""
    for _ in range(ATTEMPTS):
        assert pages[0] == 0
        given = give_back("libcompiler")
        assert given % mmap.PAGESIZE == 0
        if given:
            assert given <= len(pages)
            return
    raise AssertionError("nothing was given back")


@needs_pagemap
def test_pages_are_given_back_once_and_come_again_from_the_file(file: Path) -> None:
    pages = mapped(file, mmap.PROT_READ)
    assert bytes(pages) == file.read_bytes()
    assert_given_back(pages)
    assert give_back("libcompiler") == 0
    assert bytes(pages) == file.read_bytes()


@needs_pagemap
def test_library_that_is_not_named_is_left_alone(file: Path) -> None:
    pages = mapped(file, mmap.PROT_READ)
    assert bytes(pages) == file.read_bytes()
    assert give_back("compiler") == 0
    assert_given_back(pages)


@pytest.mark.parametrize("protected", [False, True])
def test_what_was_written_is_kept(file: Path, protected: bool) -> None:
    pages = mapped(file, mmap.PROT_READ | mmap.PROT_WRITE)
    pages[5 * mmap.PAGESIZE] = 255
    if protected:  # as a loader does with the addresses that it relocated
        address = np.frombuffer(pages, np.uint8).ctypes.data
        protect = ctypes.CDLL(None).mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        assert protect(address, len(pages), mmap.PROT_READ) == 0
    assert give_back("libcompiler") == 0
    assert pages[5 * mmap.PAGESIZE] == 255


@pytest.mark.parametrize("files", [(), ("maps",)])
def test_system_that_does_not_tell_is_left_alone(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).write_bytes(Path("/proc/self/maps").read_bytes())
    assert give_back("libc", tmp_path) == 0
