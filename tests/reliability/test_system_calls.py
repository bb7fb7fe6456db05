"""The unit's filter of system calls leaves all that a run makes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import Exit
from tests.reliability.strace import FULL, environment, needs_strace


@needs_strace
@pytest.mark.skipif(not FULL, reason="EDGE_RELIABILITY=full runs it")
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_a_run_gets_by_on_the_system_calls_that_the_unit_leaves(tmp_path: Path) -> None:
    """Those that the filter refuses are refused here too, by strace; all others are allowed."""
    refused = _filter("@privileged") | _filter("@resources")
    allowed = _filter("@system-service") - refused
    log = tmp_path / "calls"
    command = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(log)]
    command += ["-e", f"trace=!{_names(allowed)}", "-e", f"inject={_names(refused)}:error=EPERM"]
    command += [sys.executable, "-m", "edge", "run", "--source", "sim:", "--for", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if "ptrace" in done.stderr or "seccomp" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == Exit.OK, done.stderr
    made = set(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    assert made <= refused | {"execve"}  # strace's own


def _names(calls: set[str]) -> str:
    """For strace, which may not know them all."""
    return ",".join(f"?{each}" for each in sorted(calls))


def _filter(name: str) -> set[str]:
    """System calls of one of systemd's sets."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        shown = subprocess.run(
            ["systemd-analyze", "--no-pager", "syscall-filter", waiting.pop()],
            capture_output=True,
            text=True,
            check=True,
        )
        words = [each.strip() for each in shown.stdout.splitlines()[1:]]
        found |= {each for each in words if each and not each.startswith(("#", "@"))}
        waiting += [each for each in words if each.startswith("@")]
    return found
