"""The shape of the network and the constants of its input: what training and export share."""

from __future__ import annotations

from dataclasses import dataclass

from models.manifest import Normalisation

__all__ = [
    "BEAT_DELAY_S",
    "BEAT_RATE_HZ",
    "FEATURES",
    "HOP_S",
    "HOP_SAMPLES",
    "MAX_KEEP",
    "MEAN_KEEP",
    "NORMALISATION",
    "RATE_HZ",
    "SPECS",
    "ConvSpec",
]

RATE_HZ = 128
HOP_SAMPLES = 128
HOP_S = HOP_SAMPLES / RATE_HZ
BEAT_RATE_HZ = 16
BEAT_DELAY_S = 0.5
FEATURES = 64
MEAN_KEEP = 0.92  # a hop; the running mean of the rhythm features spans about 12 s
MAX_KEEP = 0.9
NORMALISATION = Normalisation(
    kind="running-mean-abs", tau_s=4.0, prior_uv=150.0, prior_s=0.5, floor_uv=20.0, clip=15.0
)


@dataclass(frozen=True)
class ConvSpec:
    """One convolution over `source`; `adds` names what it is added to."""

    name: str
    source: str
    c_in: int
    c_out: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    relu: bool = True
    norm: bool = False
    adds: str = ""

    @property
    def past(self) -> int:
        """Input frames that it carries from hop to hop."""
        return (self.kernel - 1) * self.dilation + 1 - self.stride


def _block(name: str, source: str, channels: int, dilation: int) -> tuple[ConvSpec, ConvSpec]:
    """A residual block: a dilated convolution, then a pointwise one, added to the source."""
    first = ConvSpec(f"{name}a", source, channels, 32, kernel=5, dilation=dilation)
    return first, ConvSpec(name, f"{name}a", 32, channels, relu=False, adds=source)


# 128 Hz -> 32 Hz -> 16 Hz with 5.9 s of past: enough for the class of a beat. Then 4 Hz with
# 7 s more: rhythm.
SPECS = (
    ConvSpec("stem", "x", 1, 32, kernel=16, stride=4, norm=True),
    *_block("b1", "stem", 32, 1),
    *_block("b2", "b1", 32, 2),
    ConvSpec("down1", "b2", 32, 64, kernel=4, stride=2, norm=True),
    *_block("b3", "down1", 64, 1),
    *_block("b4", "b3", 64, 2),
    *_block("b5", "b4", 64, 4),
    *_block("b6", "b5", 64, 8),
    ConvSpec("beat1", "b6", 64, 32),
    ConvSpec("beat2", "beat1", 32, 6, relu=False),
    ConvSpec("down2", "b6", 64, 64, kernel=4, stride=4, norm=True),
    *_block("b7", "down2", 64, 1),
    *_block("b8", "b7", 64, 2),
    *_block("b9", "b8", 64, 4),
    ConvSpec("feature", "b9", 64, FEATURES),
)
