"""`edge run` loads what it needs and no more: seen from within a process of its own."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from edge.lean_start import lean_start
from tests.patience import PROGRAM_S

SOURCE = "sim:?scenario=tour&leads=1&fs=250&seed=1&duration_s=2&speed=20"
RUN = ("run", "--source", SOURCE, "--bundle", "tcn-s", "--json")
UNNEEDED = (
    "amqtt bleak edfio edge.bench edge.evaluate edge.holter edge.metrics.server jsonschema"
    " matplotlib mne_lsl models.quantisation models.training numpy.f2py numpy.testing onnx pandas"
    " PIL prometheus_client pyarrow rich scipy serial sklearn sleepecg starlette torch unittest"
    " uvicorn websockets wfdb wsgiref"
)
"""Optional, heavy, or of other commands: none of them serves a run without page and record."""

COMPILER_BYTES = 20_000_000
"""What the loader has relocated stays; what the compiler's start touches is a multiple of this."""

PROGRAM = """
import atexit, gc, json, os, sys

def tell():
    from numba.core.typing.cffi_utils import SUPPORTED

    facts = {
        "loaded": [each for each in sys.argv.pop().split() if each in sys.modules],
        "collects": gc.isenabled(),
        "frozen": gc.get_freeze_count(),
        "kernels": "models.kernels" in sys.modules,
        "compiler_bytes": resident_bytes("libllvmlite"),
        "foreign_functions": SUPPORTED,
        "later": [name for name in ("scipy",) if importable(name)],
    }
    print(json.dumps({"event": "facts", **facts}))

def resident_bytes(library):
    if not os.path.exists("/proc/self/smaps"):
        return None
    counted = 0
    with open("/proc/self/smaps") as mapped:
        for line in mapped:
            if "-" in line.split(maxsplit=1)[0]:
                ours = library in line
            elif ours and line.startswith("Rss:"):
                counted += int(line.split()[1]) * 1024
    return counted

def importable(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True

atexit.register(tell)
from edge.cli import main
sys.exit(main(sys.argv[1:-1]))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, object]:
    command = [sys.executable, "-c", PROGRAM, *RUN, UNNEEDED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_S, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in events[-2:]] == ["end", "facts"], done.stderr
    assert events[-2]["patients"][0]["samples"]["received"] > 0
    return dict(events[-1])


def test_a_run_loads_nothing_that_it_does_not_need(facts: dict[str, object]) -> None:
    assert facts["kernels"]
    assert facts["loaded"] == []


def test_what_was_hidden_from_the_compiler_can_be_imported_later(facts: dict[str, object]) -> None:
    assert facts["later"] == [name for name in ("scipy",) if find_spec(name)]


def test_kernels_of_others_may_call_foreign_functions(facts: dict[str, object]) -> None:
    assert facts["foreign_functions"] == bool(find_spec("cffi"))


def test_what_was_loaded_is_collected_no_more_and_the_rest_is(facts: dict[str, object]) -> None:
    assert facts["collects"]
    assert int(str(facts["frozen"])) > 10_000


def test_pages_of_the_compiler_are_gone(facts: dict[str, object]) -> None:
    if facts["compiler_bytes"] is None:
        pytest.skip("this system does not tell of its pages")
    assert int(str(facts["compiler_bytes"])) < COMPILER_BYTES


def test_nothing_is_done_where_the_compiler_is_loaded_already() -> None:
    import_module("numba")
    before = state()
    with lean_start():
        assert state() == before
    assert state() == before


def state() -> tuple[bool, int, object]:
    return gc.isenabled(), gc.get_freeze_count(), sys.modules.get("scipy", "absent")
