"""The unit: what it grants, what it refuses, and whose file it never touches."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

import edge.service.needs as needs
from edge.cli import main
from edge.config import load
from edge.errors import ConfigError, Exit
from edge.service.install import UNIT, InstallError, _program, install, remove, unit_text
from edge.service.unit import is_unchanged

MOST_EXPOSURE = 2.0
needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (apt install systemd)"
)


@pytest.fixture(autouse=True)
def no_system_file(monkeypatch, tmp_path):
    """A machine on which nothing is configured yet."""
    for module in ("edge.service.needs", "edge.service.install", "edge.config"):
        monkeypatch.setattr(f"{module}.SYSTEM_FILE", tmp_path / "etc" / "config.toml")


@pytest.fixture
def configured(tmp_path):
    """Writes a configuration with these sources; returns its path."""

    def write(*sources, more=""):
        path = tmp_path / "ward 3.toml"
        patients = "\n".join(
            f'[[patient]]\nid = "p{k}"\nsource = "{source}"' for k, source in enumerate(sources)
        )
        path.write_text(f"{more}\n{patients}\n")
        return path

    return write


def lines(text):
    return [line for line in text.splitlines() if "=" in line and not line.startswith("#")]


def value(text, name):
    return [line.split("=", 1)[1] for line in lines(text) if line.startswith(f"{name}=")]


def test_the_unit_of_a_patch_on_a_port_and_a_strap_over_bluetooth(
    configured, tmp_path, monkeypatch
):
    monkeypatch.setattr("edge.service.needs._exists", lambda _: True)
    (tmp_path / "secret").write_text("canary-7f3a\n")
    config = configured(
        "serial:///dev/ttyACM0?device=native",
        "ble://?name=Polar*&device=polar_h10",
        more=f'[mqtt]\nurl = "mqtts://u@broker.example"\npassword_file = "{tmp_path}/secret"',
    )
    text = unit_text(config)
    assert value(text, "Type") == ["notify"]
    assert value(text, "NotifyAccess") == ["main"]
    assert value(text, "WatchdogSec") == ["30"]
    assert value(text, "Restart") == ["always"]
    assert value(text, "StartLimitIntervalSec") == ["0"]
    assert value(text, "DynamicUser") == ["yes"]
    assert value(text, "StateDirectory") == ["edge"]
    assert value(text, "ConfigurationDirectory") == ["edge"]
    assert value(text, "SupplementaryGroups") == ["dialout bluetooth"]
    assert value(text, "DeviceAllow") == ["char-ttyACM rw"]
    assert value(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_INET6"]
    assert value(text, "LoadCredential") == [
        f"config.toml:{config}",
        f"mqtt_password:{tmp_path}/secret",
    ]
    assert "EDGE__MQTT__PASSWORD_FILE=%d/mqtt_password" in value(text, "Environment")
    assert value(text, "ExecStart")[0].endswith("run %d/config.toml")
    assert "canary" not in text


def test_only_a_start_without_a_cache_warms_up(configured, tmp_path):
    (command,) = value(unit_text(configured("sim:")), "ExecStartPre")
    assert command.startswith("-/bin/sh -c '")  # a failure is none of the service
    words = [each.replace("$$", "$") for each in shlex.split(command[1:])]
    *shell, program, warmup, config = words
    assert (program, warmup, config) == (*_program(), "warmup", "%d/config.toml")
    for cache, ran in ((tmp_path / "none yet", "warmup %d/config.toml\n"), (tmp_path, "")):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [*shell, "echo", warmup, config], env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, ran)


def test_keys_of_commands_are_handed_over(configured, tmp_path):
    for name in ("ward", "phone"):
        (tmp_path / name).write_bytes(bytes(32))
    more = (
        f'[commands.keys]\nward = "{tmp_path}/ward"\n'
        f'phone = {{ file = "{tmp_path}/phone", verbs = ["acknowledge"] }}'
    )
    text = unit_text(configured("sim:", more=more))
    assert value(text, "LoadCredential")[1:] == [
        f"command_ward:{tmp_path}/ward",
        f"command_phone:{tmp_path}/phone",
    ]
    environment = value(text, "Environment")
    assert "EDGE__COMMANDS__KEYS__WARD=%d/command_ward" in environment
    assert "EDGE__COMMANDS__KEYS__PHONE__FILE=%d/command_phone" in environment


def test_the_variables_lead_the_configuration_to_the_credentials(configured, tmp_path):
    """What systemd puts into the environment, read as a service reads it."""
    for name in ("secret", "key"):
        (tmp_path / name).write_bytes(bytes(32))
    path = configured(
        "sim:",
        more=f'[mqtt]\nurl = "mqtts://u@h"\npassword_file = "{tmp_path}/secret"\n'
        f'[commands.keys.phone]\nfile = "{tmp_path}/key"\nverbs = ["acknowledge"]',
    )
    here = "/run/credentials/edge.service"
    given = (line.replace("%d", here) for line in value(unit_text(path), "Environment"))
    environment = dict(line.split("=", 1) for line in given)
    config = load(path, environment={**environment, "XDG_CONFIG_HOME": "/dev/null"})
    assert config.mqtt.password_file == f"{here}/mqtt_password"
    assert config.commands.key_settings()["phone"].file == f"{here}/command_phone"
    assert config.commands.key_settings()["phone"].verbs == ("acknowledge",)


def test_nothing_is_granted_that_is_not_needed(configured):
    text = unit_text(configured("sim:"))
    assert value(text, "PrivateDevices") == ["yes"]
    assert value(text, "PrivateUsers") == ["yes"]
    assert value(text, "IPAddressDeny") == ["any"]
    assert value(text, "IPAddressAllow") == ["localhost"]
    for absent in ("DeviceAllow", "SupplementaryGroups"):
        assert value(text, absent) == []


@pytest.mark.parametrize(
    ("more", "confined"),
    [
        ('[metrics]\nlisten = "0.0.0.0:9464"\nallow_remote = true', False),
        ('[metrics]\nlisten = "127.0.0.1:9464"', True),
        ('[view]\nlisten = "127.0.0.1:8765"', True),
        ("[view]", True),
        ("[lsl]\nenabled = true", False),
        ('[[sink]]\nname = "of-another-package"', False),
        ('[mqtt]\nurl = "mqtt://localhost"', True),
    ],
)
def test_what_speaks_to_a_network_is_let_out(configured, more, confined):
    text = unit_text(configured("serial:///dev/ttyACM0?device=native", more=more))
    assert value(text, "IPAddressDeny") == (["any"] if confined else [])


def test_a_page_for_other_machines_is_let_out(configured, tmp_path):
    for name in ("token", "cert", "key"):
        (tmp_path / name).touch()
    more = '[view]\nlisten = "0.0.0.0:8765"\n' + "\n".join(
        f'{name}_file = "{tmp_path}/{name}"' for name in ("token", "cert", "key")
    )
    assert value(unit_text(configured("sim:", more=more)), "IPAddressDeny") == []


@pytest.mark.parametrize("device", ["auto", "cpu", "onnxruntime", "litert", "cpu:2"])
def test_an_encoder_on_the_processor_is_given_no_device(configured, device):
    text = unit_text(configured("sim:", more=f'[encoder]\ndevice = "{device}"'))
    assert value(text, "PrivateDevices") == ["yes"]


@pytest.mark.parametrize("device", ["CUDAExecutionProvider", "tensorrt", "edgetpu"])
def test_an_encoder_on_a_provider_is_given_its_devices(configured, monkeypatch, device):
    monkeypatch.setattr("edge.service.needs._exists", lambda _: True)
    more = f'[encoder]\ndevice = "{device}"'
    text = unit_text(configured("serial:///dev/ttyACM0?device=native", more=more))
    assert value(text, "SupplementaryGroups") == ["dialout render video"]
    for closed in ("PrivateDevices", "PrivateUsers", "DeviceAllow"):
        assert value(text, closed) == []
    assert value(text, "DevicePolicy") == ["auto"]
    assert "# encoder.device names an execution provider" in text


@pytest.mark.parametrize(
    ("source", "classes"),
    [
        ("serial:///dev/ttyUSB3?device=native", ["char-ttyUSB rw"]),
        ("serial:///dev/ttyS0?device=native", ["char-ttyS rw"]),
        (
            "serial:/dev/serial/by-id/usb-patch-if00?device=native",
            ["char-ttyACM rw", "char-ttyUSB rw", "char-ttyAMA rw", "char-ttyS rw"],
        ),
    ],
)
def test_a_port_is_granted_by_the_class_of_its_device(configured, source, classes):
    assert value(unit_text(configured(source)), "DeviceAllow") == classes


def test_a_program_below_a_home_stays_in_sight_and_nothing_else_there(configured, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/home/pi/edge/.venv")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(needs.edge, "__file__", "/home/pi/edge/edge/__init__.py")
    text = unit_text(configured("sim:"))
    assert value(text, "ProtectHome") == ["tmpfs"]
    assert value(text, "BindReadOnlyPaths") == ["/home/pi/edge"]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ('[storage]\ndirectory = "/srv/edge"', "storage.directory is /srv/edge"),
        ('[record]\ndirectory = "/home/pi/rec"', "record.directory is /home/pi/rec"),
        (
            '[mqtt]\nurl = "mqtts://u@h"\npassword_file = "/no/such/file"',
            "mqtt.password_file: /no/such/file does not exist",
        ),
    ],
)
def test_what_the_service_could_not_have_is_refused(configured, more, complaint):
    with pytest.raises(ConfigError, match=complaint):
        unit_text(configured("sim:", more=more))


def test_a_configuration_without_patients_is_refused(configured):
    with pytest.raises(Exception, match="nothing to watch"):
        unit_text(configured())


def test_a_named_system_file_that_others_cannot_read_is_refused(configured, tmp_path):
    path = tmp_path / "etc" / "config.toml"
    path.parent.mkdir()
    path.write_text('[[patient]]\nid = "p"\nsource = "sim:"\n')
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"chmod o\+r"):
        unit_text(None)
    path.chmod(0o644)
    assert value(unit_text(None), "ExecStart")[0].endswith(" run")


@needs_systemd_analyze
@pytest.mark.parametrize(
    "sources",
    [
        ("sim:",),
        ("serial:///dev/ttyACM0?device=native",),
        ("tcp://10.0.0.2:9000?device=native", "ble://?name=Polar*&device=polar_h10"),
    ],
)
def test_exposure_and_grammar_as_systemd_judges_them(configured, tmp_path, monkeypatch, sources):
    monkeypatch.setattr("edge.service.needs._exists", lambda _: True)
    path = tmp_path / UNIT
    path.write_text(unit_text(configured(*sources)))
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    verdict = judged.stdout.strip().splitlines()[-1]
    assert float(verdict.split("edge.service: ")[1].split()[0]) <= MOST_EXPOSURE
    assert judged.stderr == ""  # unknown settings would be named here


def test_it_is_written_once_and_whole(configured, tmp_path):
    text = unit_text(configured("sim:"))
    folder = tmp_path / "units"
    assert install(text, folder)
    assert (folder / UNIT).read_text() == text
    assert (folder / UNIT).stat().st_mode & 0o777 == 0o644
    assert not install(text, folder)
    assert [each.name for each in folder.iterdir()] == [UNIT]


def test_a_unit_of_an_earlier_configuration_is_replaced(configured, tmp_path):
    install(unit_text(configured("sim:")), tmp_path)
    text = unit_text(configured("sim:?seed=2", "ble://?name=Polar*&device=polar_h10"))
    assert install(text, tmp_path)
    assert (tmp_path / UNIT).read_text() == text


@pytest.mark.parametrize("foreign", ["[Service]\nExecStart=/bin/true\n", "", "\xff", None], ids=str)
def test_a_unit_that_somebody_changed_is_left_alone(configured, tmp_path, foreign):
    text = unit_text(configured("sim:"))
    found = text.replace("RestartSec=1", "RestartSec=9") if foreign is None else foreign
    path = tmp_path / UNIT
    path.write_bytes(found.encode("latin-1"))
    for change in (lambda force: install(text, tmp_path, force), lambda f: remove(tmp_path, f)):
        with pytest.raises(InstallError, match=r"edge\.service was changed"):
            change(False)
        assert path.read_bytes() == found.encode("latin-1")
    assert install(text, tmp_path, force=True)
    assert path.read_text() == text


def test_what_it_wrote_it_takes_away_again(configured, tmp_path):
    text = unit_text(configured("sim:"))
    assert is_unchanged(text)
    install(text, tmp_path)
    assert remove(tmp_path)
    assert not remove(tmp_path)
    assert list(tmp_path.glob(UNIT)) == []


def test_the_command_says_what_to_type_next(configured, tmp_path, capsys):
    config = configured("sim:")
    where = ["--folder", str(tmp_path / "units")]
    assert main(["install-service", str(config), "--print"]) == Exit.OK
    assert capsys.readouterr().out == unit_text(config)
    assert main(["install-service", str(config), *where]) == Exit.OK
    said = capsys.readouterr().out
    assert "edge.service written" in said
    for step in ("systemctl daemon-reload", "systemctl enable --now edge", "journalctl -u edge -f"):
        assert step in said
    assert main(["install-service", str(config), *where]) == Exit.OK
    assert "stands there already" in capsys.readouterr().out
    assert main(["install-service", "--uninstall", *where]) == Exit.OK
    assert "systemctl disable --now edge" in capsys.readouterr().out


def test_a_user_of_its_own_manager_is_told_to_linger(configured, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert main(["install-service", str(configured("sim:")), "--user"]) == Exit.OK
    said = capsys.readouterr().out
    assert "loginctl enable-linger" in said
    assert "systemctl --user enable --now edge" in said
    text = (tmp_path / "home" / "systemd" / "user" / UNIT).read_text()
    assert value(text, "DynamicUser") == []
    assert value(text, "ExecStartPre") == []  # its cache is that of the user's own `edge warmup`
    assert value(text, "NoNewPrivileges") == ["yes"]
    assert value(text, "WantedBy") == ["default.target"]


def test_without_permission_it_says_what_to_type(configured, tmp_path, capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("edge.service.install.install", refuse)
    config = str(configured("sim:"))
    assert main(["install-service", config, "--folder", str(tmp_path)]) == Exit.FAILURE
    said = capsys.readouterr().err
    assert "Permission denied" in said
    assert "sudo" in said
    assert "--user" in said
    assert "Traceback" not in said
