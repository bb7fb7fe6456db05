"""`edge demo` with a broker of one's own that speaks TLS alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.demo import DemoOptions, _broker
from edge.mqtt_settings import MqttSettings
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
        config.write_text(
            f'[mqtt]\nurl = "{url}"\nca_file = "{authority.cert_file}"\nclient_id = "gateway-1"\n'
        )
        trusting = demo(config)
        distrusting = demo(url)
        log = broker.log
    assert trusting.returncode == 0, trusting.stderr
    assert f"--cafile {authority.cert_file}" in trusting.stdout
    assert "-t 'edge-demo/#'" in trusting.stdout
    assert "'edge-demo/status'" in log
    for of_a_service in ("gateway-1", "'edge/"):  # which may run on this broker
        assert of_a_service not in log
    assert distrusting.returncode == 6
    assert "its certificate is not from the system's authorities" in distrusting.stderr


@pytest.mark.parametrize(
    ("base", "beside"),
    [
        ("edge", "edge-demo"),
        ("ward/3/edge", "ward/3/edge-demo"),
        ("a" * 32, "a" * 27 + "-demo"),
        ("/".join("abcdefgh"), "a/b/c/d/e/f/g/h-demo"),
    ],
)
def test_every_base_gives_one_that_is_allowed(base, beside):
    settings = MqttSettings(base=base, client_id="gateway-1", strip_image=True, username="u")
    with _broker(DemoOptions(mqtt=settings)) as used:
        assert used == MqttSettings(base=beside, username="u")
        assert used.topics.alert("demo") == f"{beside}/demo/alert"


def test_a_configuration_without_a_broker_is_refused(tmp_path):
    config = tmp_path / "edge.toml"
    config.write_text("")
    done = demo(config)
    assert done.returncode == 2
    assert "it has no [mqtt] table" in done.stderr
