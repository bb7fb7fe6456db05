import re
import tomllib
from pathlib import Path

import pytest

from edge import config
from edge.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def toml(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def no_user_files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "system.toml")


PATIENT = '[[patient]]\nid = "p1"\nsource = "sim:"\n'


def test_defaults_hold():
    assert config.load(environment={}) == config.Config()


def test_the_example_in_the_docs_holds():
    text = (ROOT / "docs/configuration.md").read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    loaded = config.check(tomllib.loads(example[1]))
    assert [patient.id for patient in loaded.patient] == ["patient-1", "patient-2"]
    assert loaded.patient[0].limits.tachy_bpm == 130
    assert loaded.mqtt.endpoint.tls


def test_later_layers_win(toml, tmp_path):
    (tmp_path / "system.toml").write_text('[encoder]\nbundle = "a"\ndevice = "cpu"\n')
    home = tmp_path / "xdg" / "edge"
    home.mkdir(parents=True)
    (home / "config.toml").write_text('[encoder]\nbundle = "b"\n')
    named = toml('[signal]\nmains_hz = 60\n[encoder]\nbundle = "c"\n')

    assert config.load(environment={}).encoder.bundle == "a"
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert config.load(environment=env).encoder.bundle == "b"
    loaded = config.load(named, environment=env)
    assert (loaded.encoder.bundle, loaded.encoder.device) == ("c", "cpu")
    assert loaded.signal.mains_hz == 60
    env["EDGE__ENCODER__BUNDLE"] = "d"
    assert config.load(named, environment=env).encoder.bundle == "d"
    flags = {"encoder": {"bundle": "e"}}
    assert config.load(named, flags, env).encoder.bundle == "e"


def test_environment_values_are_typed():
    env = {"EDGE__SIGNAL__MAINS_HZ": "60", "EDGE__MQTT__URL": "mqtts://broker"}
    loaded = config.load(environment=env)
    assert loaded.signal.mains_hz == 60
    assert loaded.mqtt.url == "mqtts://broker"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mqqt]\n", "unknown field `mqqt`; did you mean `mqtt`"),
        (PATIENT + "[patient.limits]\nbrady_pbm = 40\n", "did you mean `brady_bpm`"),
        (PATIENT + "[patient.limits]\nasystole_s = 60\n", "asystole_s"),
        (PATIENT + "[patient.adjustable]\ntachy = [90, 150]\n", "'tachy' is no limit"),
        (PATIENT + "[patient.adjustable]\ntachy_bpm = [90]\n", "patient[0].adjustable"),
        (PATIENT + "[patient.attendance]\nlatching = ['asystoly']\n", "asystoly"),
        (PATIENT + "[patient.attendance]\nreminder_s = { high = 2 }\n", "at least 10"),
        (PATIENT + "[patient.attendance]\nescalate_s = { high = 60 }\n", "cannot rise"),
        (PATIENT + "[patient.attendance]\nremind_s = { high = 60 }\n", "`reminder_s`"),
        (PATIENT.replace("p1", "ward/1"), "patient[0].id"),
        (PATIENT + PATIENT, "two patients have the id 'p1'"),
        ("[signal]\nmains_hz = 55\n", "signal.mains_hz"),
        ('[mqtt]\nurl = "http://x"\n', "expected mqtt://host"),
        ('[mqtt]\nurl = "mqtt://u:secret@x"\n', "password_file"),
        ("[signal\n", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(toml, text, said):
    with pytest.raises(ConfigError) as caught:
        config.load(toml(text), environment={})
    assert said in str(caught.value)
    assert "config.toml" in str(caught.value) or "two patients" in said
    assert "secret" not in str(caught.value)


def test_missing_and_unreadable_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        config.load(tmp_path / "none.toml", environment={})
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path, environment={})


def test_state_directory_of_systemd_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert config.Storage().path() == tmp_path / "state" / "edge"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "systemd"))
    assert config.Storage().path() == tmp_path / "systemd"
    assert config.Storage(directory=str(tmp_path)).path() == tmp_path


def test_schema_describes_every_section():
    described = config.schema()["$defs"]["Config"]["properties"]
    assert set(described) == {
        *("patient", "mqtt", "encoder", "signal", "storage", "record", "sink"),
        *("commands", "home_assistant", "view", "metrics", "lsl"),
    }
