"""Kernels are compiled anew when anything has changed that their machine code is made of."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import numba
import pytest

from models import compiled

ROOT = Path(__file__).parents[2]

PART = """
from models.compiled import part

@part
def scaled(value):
    return value * {factor}
"""

KERNEL = """
from models.compiled import kernel
from kernels.a_part import scaled

@kernel("float64(float64)")
def sum_of(value):
    return scaled(value) + 1.0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of kernels, cached beside it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    made = tmp_path / "kernels"
    made.mkdir()
    (made / "__init__.py").touch()
    (made / "a_kernel.py").write_text(KERNEL)
    yield made
    forget()


def forget():
    compiled._digest.cache_clear()
    importlib.invalidate_caches()
    for name in [each for each in sys.modules if each.split(".")[0] == "kernels"]:
        del sys.modules[name]


def started(folder, factor):
    """The kernel as a process finds it that begins now."""
    forget()
    # Another length each time: the import system tells sources of one second by it.
    (folder / "a_part.py").write_text(PART.format(factor=factor) + "#" * int(factor))
    return importlib.import_module("kernels.a_kernel").sum_of


def test_a_part_that_has_changed_is_compiled_anew(folder):
    first = started(folder, 2.0)
    assert (first(10.0), sum(first.stats.cache_misses.values())) == (21.0, 1)
    again = started(folder, 2.0)
    assert (again(10.0), sum(again.stats.cache_hits.values())) == (21.0, 1)
    changed = started(folder, 3.0)
    assert (changed(10.0), sum(changed.stats.cache_misses.values())) == (31.0, 1)


def test_nothing_is_cached_where_it_could_grow_stale(folder, monkeypatch):
    """As with a version of Numba that keeps its stamp elsewhere."""
    monkeypatch.setattr(numba.core.caching.Cache, "__init__", lambda *_: None)
    made = started(folder, 2.0)
    assert made(10.0) == 21.0
    assert made.stats.cache_path is None


def compiled_files():
    """Sources of ours with kernels or parts of such, and the modules that each imports from."""
    for source in [*(ROOT / "edge").rglob("*.py"), *(ROOT / "models").rglob("*.py")]:
        text = source.read_text()
        if "\n@kernel(" in text or "\n@part\n" in text:
            imports = [
                each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.ImportFrom)
            ]
            yield source, {each.module for each in imports}


def test_kernels_take_nothing_from_where_no_change_is_noticed():
    """From a folder `kernels` only what lies there too; elsewhere from no other file."""
    found = dict(compiled_files())
    assert {ROOT / "edge/kernels/noise.py", ROOT / "models/peaks.py"} <= found.keys()
    for source, modules in found.items():
        ours = {each for each in modules if each.split(".")[0] in ("edge", "models")}
        if source.parent == ROOT / "edge/kernels":
            ours = {each for each in ours if not each.startswith("edge.kernels")}
        assert ours <= {"models.compiled", "models.errors"}, source
