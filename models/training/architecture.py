"""The shape of the networks and the constants of their input: what training and export share."""

from __future__ import annotations

from dataclasses import dataclass

from models.manifest import RunningMeanAbs

__all__ = [
    "FRAME_RATE_HZ",
    "HOP_S",
    "HOP_SAMPLES",
    "KEEP",
    "NORMALISATION",
    "QRS_DELAY_S",
    "QRS_PER_FRAME",
    "QRS_THRESHOLD",
    "RATE_HZ",
    "SIZES",
    "ConvSpec",
    "Shape",
]

RATE_HZ = 128
HOP_SAMPLES = 128
HOP_S = HOP_SAMPLES / RATE_HZ
FRAME_RATE_HZ = 16
QRS_PER_FRAME = RATE_HZ // FRAME_RATE_HZ
QRS_DELAY_S = 0.3125
QRS_THRESHOLD = 0.36  # fewest errors on DS1, clean and in noise
KEEP = 0.92  # a hop; the running mean of the pooled features spans about 12 s
NORMALISATION = RunningMeanAbs(tau_s=4.0, prior_uv=150.0, prior_s=0.5, floor_uv=20.0, clip=15.0)


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


@dataclass(frozen=True)
class Shape:
    """A causal convolution stack at falling frame rates: 128 Hz -> 32 Hz -> 16 Hz -> 4 Hz.

    stem, body, deep: channels at the three rates, the first of each pair those of the residual
    stream, the second those within a block. Dilations of the blocks' kernels of 5 at each rate.
    At 16 Hz a QRS complex is found and described, at 4 Hz the rhythm.
    """

    stem: tuple[int, int]
    body: tuple[int, int]
    deep: tuple[int, int]
    stem_dilations: tuple[int, ...]
    body_dilations: tuple[int, ...]
    deep_dilations: tuple[int, ...]
    features: int = 64

    @property
    def embedding(self) -> int:
        """Width of the embedding: mean and maximum of the features."""
        return 2 * self.features

    @property
    def width(self) -> int:
        """Numbers that describe a frame at 16 Hz."""
        return self.body[0]

    @property
    def frames(self) -> str:
        """The tensor at 16 Hz that describes each beat."""
        return f"body{len(self.body_dilations)}"

    @property
    def specs(self) -> tuple[ConvSpec, ...]:
        """The convolutions in order of evaluation."""
        wide, body, deep = self.stem[0], self.body[0], self.deep[0]
        stem = _blocks("stem", self.stem, self.stem_dilations)
        middle = _blocks("body", self.body, self.body_dilations)
        late = _blocks("deep", self.deep, self.deep_dilations)
        return (
            ConvSpec("stem0", "x", 1, wide, kernel=16, stride=4, norm=True),
            *stem,
            ConvSpec("body0", stem[-1].name, wide, body, kernel=4, stride=2, norm=True),
            *middle,
            ConvSpec("peak1", middle[-1].name, body, 32),
            ConvSpec("peak", "peak1", 32, QRS_PER_FRAME, relu=False),
            ConvSpec("deep0", middle[-1].name, body, deep, kernel=4, stride=4, norm=True),
            *late,
            ConvSpec("feature", late[-1].name, deep, self.features),
        )


def _blocks(
    name: str, channels: tuple[int, int], dilations: tuple[int, ...]
) -> tuple[ConvSpec, ...]:
    """Residual blocks: a dilated convolution, then a pointwise one, added to the source."""
    stream, inner = channels
    specs: list[ConvSpec] = []
    for k, dilation in enumerate(dilations, start=1):
        source, block = f"{name}{k - 1}", f"{name}{k}"
        specs += [
            ConvSpec(f"{block}a", source, stream, inner, kernel=5, dilation=dilation),
            ConvSpec(block, f"{block}a", inner, stream, relu=False, adds=source),
        ]
    return tuple(specs)


SIZES = {
    "s": Shape(
        stem=(32, 32),
        body=(64, 32),
        deep=(64, 32),
        stem_dilations=(1,),
        body_dilations=(1, 2, 4, 8),
        deep_dilations=(1, 3),
    ),
    "m": Shape(
        stem=(64, 64),
        body=(160, 96),
        deep=(256, 128),
        stem_dilations=(1, 2),
        body_dilations=(1, 2, 4, 8, 1, 4),
        deep_dilations=(1, 3),
    ),
}
