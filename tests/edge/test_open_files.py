"""The soft limit of open files gives way to the hard one, as far as the system lets it."""

from __future__ import annotations

import subprocess
import sys
from unittest.mock import Mock

import pytest

from edge.open_files import MOST, raise_limit
from tests.patience import PROGRAM_S

resource = pytest.importorskip("resource")
NONE = resource.RLIM_INFINITY

RUN = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
from edge.cli import main
code = main(["run", "--source", "sim:?duration_s=1&speed=20", "--bundle", "none", "--json"])
print(code, hard, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_run_may_open_more_files_than_it_was_started_with() -> None:
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_S, check=True)
    code, hard, soft_then, hard_then = map(int, done.stdout.splitlines()[-1].split())
    assert (code, hard_then) == (0, hard)
    assert soft_then == (MOST if hard == NONE else min(hard, MOST))


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [
        (1024, 524_288, 524_288),
        (1024, 4096, 4096),
        (1024, 1_073_741_816, MOST),
        (1024, NONE, MOST),
        (4096, 4096, None),
        (1_000_000, 1_073_741_816, None),
        (NONE, NONE, None),
    ],
)
def test_it_asks_for_what_is_allowed_and_never_for_less(
    soft: int, hard: int, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Mock()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", asked)
    raise_limit()
    expected = [] if wanted is None else [(resource.RLIMIT_NOFILE, (wanted, hard))]
    assert [each.args for each in asked.call_args_list] == expected


@pytest.mark.parametrize("refusal", [ValueError("current limit exceeds maximum"), OSError(22, "")])
def test_a_refusal_leaves_it_as_it_was(refusal: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Mock(side_effect=refusal)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, NONE))
    monkeypatch.setattr(resource, "setrlimit", asked)
    raise_limit()
    asked.assert_called_once()


def test_a_system_without_such_limits_has_none_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    raise_limit()
