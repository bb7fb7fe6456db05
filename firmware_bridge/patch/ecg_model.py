"""The electrocardiogram of a scenario, sample by sample, in microvolts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.morphology import Beat, lead_gains, wave_table
from firmware_bridge.patch.noise import Noise, NoiseLevels
from firmware_bridge.patch.rhythms import RHYTHMS
from firmware_bridge.patch.scenarios import Episode, PlacedEpisode, schedule
from firmware_bridge.patch.textures import TEXTURES, Texture
from firmware_bridge.patch.variability import RESPIRATION_HZ

__all__ = ["EcgModel"]

_TEXTURE_KEY = 3
_REACH_S = 1.0
"""No wave of a beat is seen further than this from its R peak."""
_FADE_S = 0.25
_RAIL_UV = 10_000.0
_RAIL_TIME_S = 0.1
_RESPIRATORY_GAIN = 0.06


@dataclass(frozen=True, slots=True)
class _Placed:
    """An episode with its texture made."""

    episode: PlacedEpisode
    texture: Texture | None


class EcgModel:
    """A stream of ECG: the same samples for the same seed, however many are asked for at once.

    episodes: what happens, repeated without end. leads: names out of "I", "II", "III".
    rate_hz: 100 to 1000. The stream is rendered in pages of a second, each from the beats
    and textures near it.
    """

    def __init__(
        self,
        episodes: tuple[Episode, ...],
        *,
        leads: Sequence[str] = ("II",),
        rate_hz: float = 250.0,
        seed: int = 1,
        noise: NoiseLevels | None = None,
    ) -> None:
        self._schedule = schedule(episodes, seed)
        self._leads = tuple(leads)
        self._rate_hz = rate_hz
        self._seed = seed
        self._noise = Noise(noise or NoiseLevels(), len(self._leads), seed)
        self._near: deque[_Placed] = deque()
        self._page_samples = round(rate_hz)
        self._page_number = 0
        self._rest = np.empty((0, len(self._leads)))
        self._rest_off = np.empty(0, dtype=np.bool_)

    def read(self, samples: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Next samples in microvolts, shape (samples, leads), and where the electrodes are off."""
        missing = samples - self._rest.shape[0]
        if missing > 0:
            pages = [self._render_page() for _ in range(-(-missing // self._page_samples))]
            self._rest = np.concatenate([self._rest, *(ecg for ecg, _ in pages)])
            self._rest_off = np.concatenate([self._rest_off, *(off for _, off in pages)])
        taken, taken_off = self._rest[:samples], self._rest_off[:samples]
        self._rest, self._rest_off = self._rest[samples:], self._rest_off[samples:]
        return taken, taken_off

    def _render_page(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        first = self._page_number * self._page_samples
        time_s = np.arange(first, first + self._page_samples) / self._rate_hz
        self._bring_near(float(time_s[0]), float(time_s[-1]))
        ecg = self._beats(time_s) + self._noise.page(self._page_number, time_s)
        off = np.zeros(time_s.shape[0], dtype=np.bool_)
        for placed in self._near:
            _add_texture(ecg, placed, time_s)
            off |= _go_to_rail(ecg, placed.episode, time_s)
        self._page_number += 1
        return ecg, off

    def _bring_near(self, start_s: float, stop_s: float) -> None:
        while not self._near or self._near[-1].episode.stop_s <= stop_s + _REACH_S:
            episode = next(self._schedule)
            self._near.append(_Placed(episode, self._texture(episode)))
        while self._near[0].episode.stop_s < start_s - _REACH_S:
            self._near.popleft()

    def _texture(self, episode: PlacedEpisode) -> Texture | None:
        name = RHYTHMS[episode.rhythm].texture
        if name is None:
            return None
        rng = np.random.default_rng([self._seed, _TEXTURE_KEY, episode.number])
        return TEXTURES[name](rng, self._leads)

    def _beats(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        waves = wave_table(self._beats_near(float(time_s[0]), float(time_s[-1])))
        amplitude_uv, axis_deg, centre_s, before_s, after_s = waves.T
        distance_s = time_s[:, None] - centre_s
        width_s = np.where(distance_s < 0, before_s, after_s)
        shapes = np.exp(-0.5 * (distance_s / width_s) ** 2)
        ecg = (shapes * amplitude_uv) @ lead_gains(axis_deg, self._leads)
        # The chest moves the heart's axis with each breath (Moody et al., CinC 1985).
        breath = 1 + _RESPIRATORY_GAIN * np.sin(2 * np.pi * RESPIRATION_HZ * time_s)
        return np.asarray(ecg * breath[:, None])

    def _beats_near(self, start_s: float, stop_s: float) -> list[Beat]:
        return [
            beat
            for placed in self._near
            for beat in placed.episode.beats
            if start_s - _REACH_S <= beat.time_s <= stop_s + _REACH_S
        ]


def _add_texture(ecg: NDArray[np.float64], placed: _Placed, time_s: NDArray[np.float64]) -> None:
    """Add the texture to the samples of its episode, faded in and out."""
    if placed.texture is None:
        return
    episode = placed.episode
    inside = (time_s >= episode.start_s) & (time_s < episode.stop_s)
    if not inside.any():
        return
    since_s = time_s[inside] - episode.start_s
    edge_s = np.minimum(since_s, episode.stop_s - time_s[inside])
    fade = np.sin(np.pi / 2 * np.clip(edge_s / _FADE_S, 0, 1)) ** 2
    ecg[inside] += fade[:, None] * placed.texture(since_s)


def _go_to_rail(
    ecg: NDArray[np.float64], episode: PlacedEpisode, time_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Where electrodes are off, let the bias current pull the inputs to the rail; say where."""
    if not RHYTHMS[episode.rhythm].lead_off:
        return np.zeros(time_s.shape[0], dtype=np.bool_)
    off = (time_s >= episode.start_s) & (time_s < episode.stop_s)
    left = np.exp(-(time_s[off] - episode.start_s) / _RAIL_TIME_S)[:, None]
    ecg[off] = left * ecg[off] + (1 - left) * _RAIL_UV
    return off
