"""`edge demo` with a broker of one's own that speaks TLS alone."""

from __future__ import annotations

import subprocess
import sys

from tests.certificates import issue
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import PROGRAM_S


def demo(config):
    return subprocess.run(
        [sys.executable, "-m", "edge", "demo", "--for", "0.5", "--mqtt", str(config)],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
    )


@needs_mosquitto
def test_a_configuration_says_whom_to_trust(tmp_path):
    authority = issue(tmp_path, "authority")
    server = issue(tmp_path, "server", authority)
    lines = f"certfile {server.cert_file}\nkeyfile {server.key_file}\n"
    config = tmp_path / "edge.toml"
    with Mosquitto(lines) as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        config.write_text(f'[mqtt]\nurl = "{url}"\nca_file = "{authority.cert_file}"\n')
        trusting = demo(config)
        distrusting = demo(url)
    assert trusting.returncode == 0, trusting.stderr
    assert f"--cafile {authority.cert_file}" in trusting.stdout
    assert distrusting.returncode == 6
    assert "its certificate is not from the system's authorities" in distrusting.stderr


def test_a_configuration_without_a_broker_is_refused(tmp_path):
    config = tmp_path / "edge.toml"
    config.write_text("")
    done = demo(config)
    assert done.returncode == 2
    assert "it has no [mqtt] table" in done.stderr
