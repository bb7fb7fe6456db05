"""What the documents show works: examples run, links lead somewhere, the tree is as told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.alert import AlarmKind

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def code_blocks(name, language):
    text = (ROOT / name).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def output_of(source):
    """What a program prints, run as a user would."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_that_watches_a_source_runs():
    source = code_blocks("docs/python-api.md", "python")[0]
    assert "asystole start high" in output_of(source)


def test_the_example_that_pushes_samples_runs():
    source = code_blocks("docs/python-api.md", "python")[1]
    counted = "print(session.counts.received, session.counts.gap, len(heard) > 60)"
    assert output_of(source + counted).splitlines()[-1] == "15000 0 True"


def test_the_example_of_the_readme_runs():
    (source,) = code_blocks("README.md", "python")
    assert "vf start" in output_of(source.replace("for_s=60", "for_s=30"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert missing == []


def test_every_alarm_kind_is_described():
    text = (ROOT / "docs/alarms.md").read_text()
    assert [kind for kind in AlarmKind if f"`{kind}`" not in text] == []


def test_every_command_of_the_readme_exists():
    from edge.cli import COMMANDS

    used = set(re.findall(r"edge (\w+) ['-]", (ROOT / "README.md").read_text()))
    assert used <= set(COMMANDS)
    assert {"scan", "probe", "run"} & used
