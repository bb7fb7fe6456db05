"""The configuration: one validated, frozen tree, read from layered TOML.

Layers, later ones win: defaults, `/etc/edge/config.toml`, `$XDG_CONFIG_HOME/edge/config.toml`,
the named file, environment variables `EDGE__SECTION__KEY`, command-line flags.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edge.alarm.adjustable import check_bounds
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.limits import AlarmLimits
from edge.commands.settings import CommandSettings
from edge.errors import ConfigError
from edge.home_assistant.settings import HomeAssistantSettings
from edge.lsl_settings import LslSettings
from edge.messages import checked_id
from edge.metrics.settings import MetricsSettings
from edge.mqtt_settings import MqttSettings
from edge.record_settings import RecordSettings
from edge.view_settings import ViewSettings

ENVIRONMENT_PREFIX = "EDGE__"
SYSTEM_FILE = Path("/etc/edge/config.toml")
PATIENT_ID = r"^[A-Za-z0-9_-]{1,32}$"

Tree = dict[str, Any]
PatientId = Annotated[str, msgspec.Meta(pattern=PATIENT_ID)]
Seconds = Annotated[float, msgspec.Meta(gt=0.0)]


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Conditioning of the ECG. Frequencies in hertz."""

    mains_hz: Literal[0, 50, 60] = 50
    highpass_hz: Annotated[float, msgspec.Meta(ge=0.05, le=5.0)] = 0.5
    lowpass_hz: Annotated[float, msgspec.Meta(ge=15.0, le=150.0)] = 40.0
    bridge_ms: Annotated[float, msgspec.Meta(ge=0.0, le=500.0)] = 250.0


class Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts wait for the broker. directory: default `$XDG_STATE_HOME/edge`."""

    directory: str = ""

    def path(self) -> Path:
        """The directory for the outbox and the alert log."""
        if self.directory:
            return Path(self.directory).expanduser()
        for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
            if value := os.environ.get(name):
                base = Path(value.split(":")[0])
                return base if name == "STATE_DIRECTORY" else base / "edge"
        return Path.home() / ".local" / "state" / "edge"


class Patient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One patch on one person.

    id: pseudonym; letters, digits, `_` and `-` only, since it becomes part of a topic.
    device: the patch's own id; by default what the source URI names.
    bundle: the encoder bundle, by name or folder; empty for the tree's default.
    adjustable: limits that people may move while it runs, and the lowest and highest value of each;
        none by default.
    """

    id: PatientId
    source: str
    device: str = ""
    bundle: str = ""
    limits: AlarmLimits = AlarmLimits()
    attendance: AttendanceSettings = AttendanceSettings()
    adjustable: dict[str, tuple[float, float]] = {}

    def __post_init__(self) -> None:
        """Refuse an id that could reach another topic, and bounds that no limit could keep."""
        checked_id(self.id)  # `$` of the pattern lets a line feed pass
        check_bounds(self.adjustable)


class Encoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The default encoder. bundle: name, folder, or `none` for rules without an encoder.

    device: `auto`, the best that `edge warmup` measured, else LiteRT, else ONNX Runtime, both on
    the processor; or a name of `models.device_name`, as `edge models devices` lists them.
    """

    bundle: str = "tcn-s"
    device: str = "auto"


class ThirdPartySink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sink of another package: its entry point's name, and what its factory takes."""

    name: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything `edge run` needs to know."""

    patient: tuple[Patient, ...] = ()
    mqtt: MqttSettings | None = None
    encoder: Encoder = Encoder()
    signal: Signal = Signal()
    storage: Storage = Storage()
    record: RecordSettings = RecordSettings()
    sink: tuple[ThirdPartySink, ...] = ()
    commands: CommandSettings = CommandSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    view: ViewSettings | None = None
    metrics: MetricsSettings = MetricsSettings()
    lsl: LslSettings = LslSettings()

    def bundle_of(self, patient: Patient) -> str:
        """The bundle that is to hear a patient, by name or folder."""
        return patient.bundle or self.encoder.bundle


def load(
    named: Path | None = None,
    flags: Tree | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The configuration out of all layers. Raises ConfigError."""
    env = os.environ if environment is None else environment
    tree: Tree = {}
    origins = [str(path) for path in _files(named, env)]
    for path in _files(named, env):
        tree = _merged(tree, _read(path))
    if variables := _from_environment(env):
        origins.append("the environment")
    tree = _merged(tree, variables)
    tree = _merged(tree, flags or {})
    return check(tree, origins)


def check(tree: Tree, origins: Iterable[str] = ()) -> Config:
    """The tree as a Config. Raises ConfigError that names the key and what it should be."""
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), list(origins))) from None
    ids = [patient.id for patient in config.patient]
    for patient_id in ids:
        if ids.count(patient_id) > 1:
            raise ConfigError(f"config: two patients have the id {patient_id!r}; ids must differ")
    if config.home_assistant.enabled and config.mqtt is None:
        raise ConfigError("config: home_assistant.enabled needs a broker: add an [mqtt] table")
    if config.home_assistant.buttons and not config.commands.unsigned:
        raise ConfigError(
            "config: home_assistant.buttons needs verbs that may come unsigned: add "
            'unsigned = ["acknowledge", "pause_audio"] under [commands]'
        )
    return config


def mqtt_settings(url: str) -> MqttSettings:
    """The settings of a broker of which only the URL is known, and what the environment adds.

    Raises ConfigError.
    """
    known = {"mqtt": _from_environment(os.environ).get("mqtt", {})}
    return check(_merged(known, {"mqtt": {"url": url}})).mqtt or MqttSettings()


def schema() -> Tree:
    """JSON Schema of the configuration."""
    return msgspec.json.schema(Config)


def _files(named: Path | None, env: Mapping[str, str]) -> list[Path]:
    home = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edge" / "config.toml"
    found = [path for path in (SYSTEM_FILE, home) if path.is_file()]
    return [*found, named] if named else found


def _read(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config: {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config: {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config: {path} is not valid TOML: {error}") from None


def _from_environment(env: Mapping[str, str]) -> Tree:
    tree: Tree = {}
    for name, text in sorted(env.items()):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        *sections, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
            if not isinstance(branch, dict):
                raise ConfigError(f"config: {name}: another variable gives {section} a plain value")
        branch[key] = _scalar(text)
    return tree


def _scalar(text: str) -> Any:
    """A TOML value where the text is one, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merged(lower: Tree, upper: Tree) -> Tree:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(text: str, origins: list[str]) -> str:
    where = f" (from {', '.join(origins)})" if origins else ""
    return f"config: {text.replace('$.', '').replace(' - at `$`', '')}{_suggest(text)}{where}"


def _suggest(text: str) -> str:
    unknown = re.search(r"unknown field `(\w+)`", text)
    if not unknown:
        return "; `edge config schema` lists what is allowed" if "enum" in text else ""
    known = [field for node in schema()["$defs"].values() for field in node.get("properties", {})]
    close = get_close_matches(unknown[1], known, n=1)
    return f"; did you mean `{close[0]}`?" if close else "; see `edge config schema`"
