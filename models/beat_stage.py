"""The beat stage of a bundle: a small recurrent network, stepped once a beat, one beat late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import manifest as facts
from models.beat_token import TOKEN_WIDTH, WAIT_S, Token, TokenMaker
from models.bound_session import BoundSession
from models.bundle import Bundle
from models.errors import BundleError, ModelError
from models.kernels import softmax
from models.onnx_session import open_session
from models.shared import shared

__all__ = ["BeatJudgement", "BeatStage"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BeatJudgement:
    """What is known of the beat at `peak_s`.

    beats: probabilities of its class, in the order of the labels of the stage's "beats"
    output. rhythm: of the rhythm up to and with the beat, likewise; None without that output.
    """

    peak_s: float
    beats: Floats
    rhythm: Floats | None


class BeatStage:
    """Judges the beats of one stream, in order. One thread at a time.

    The same beats give the same judgements bit for bit, however often `expire` is asked.
    """

    def __init__(self, bundle: Bundle) -> None:
        """BundleError: the bundle has no beat stage, or one that this version cannot feed."""
        stage = bundle.manifest.beat_stage
        if stage is None:
            raise BundleError(f"{bundle.path}: the bundle has no beat stage; choose another")
        _check_token(stage, str(bundle.path))
        self._stage = stage
        self._where = str(bundle.path)
        model = bundle.files[bundle.manifest.file("beat-stage").name]
        providers = ("CPUExecutionProvider",)
        self.shared = shared(
            model,
            ("onnxruntime", providers),
            lambda: open_session(model, self._where, providers),
        )
        session = self.shared.runtime
        _check_graph(stage, session, self._where)
        self._token = np.zeros((1, stage.width), np.float32)
        self._logits = {o.name: np.zeros((1, *o.shape), np.float32) for o in stage.outputs}
        initial = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in stage.states}
        heard = {stage.input: self._token}
        self._network = BoundSession(session, stage.states, initial, heard, self._logits)
        self._tokens = TokenMaker()
        self._try()

    def reset(self) -> None:
        """Forget the past and the beat that waits; `flush` it before, if it is to be judged."""
        self._tokens.reset()
        self._network.reset()

    def push(self, peak_s: float, window_uv: Floats, lead: int = 0) -> list[BeatJudgement]:
        """Take the next beat; the judgement of the one before it, if that still waits.

        peak_s: time of the R peak on any clock, in seconds, later than all before.
        window_uv: the signal around it, as `models.beat_window.window_of` cuts it from `lead`.
        StepError: out of order, wrong shape, not finite; nothing is learnt or forgotten then.
        """
        return self._judge(self._tokens.push(peak_s, window_uv, lead))

    def expire(self, now_s: float) -> list[BeatJudgement]:
        """The judgement of a beat whose successor did not come within `wait_ms`.

        now_s: on the clock of the peaks; every beat before it must have been pushed.
        """
        return self._judge(self._tokens.expire(now_s))

    def flush(self) -> list[BeatJudgement]:
        """The judgement of the beat that waits, its successor unknown: before a gap, at the end."""
        return self._judge(self._tokens.flush())

    def _judge(self, token: Token | None) -> list[BeatJudgement]:
        if token is None:
            return []
        self._step(token.values)
        rows = {o.kind: _probabilities(self._logits[o.name][0]) for o in self._stage.outputs}
        return [BeatJudgement(token.peak_s, rows["beats"], rows.get("rhythm"))]

    def _try(self) -> None:
        """BundleError: the network's answers are not what the manifest says."""
        try:
            self._network.run()
        except Exception as error:  # its exceptions share no base but Exception
            raise BundleError(
                f"{self._where}: the beat stage fails on silence: {error}; export it again"
            ) from error
        self.reset()

    def _step(self, token: Floats) -> None:
        """The logits for this token; the past moves on by a beat."""
        self._token[0] = token
        try:
            self._network.run()
        except Exception as error:  # its exceptions share no base but Exception
            self.shared.distrust()
            raise ModelError(
                f"{self._where}: ONNX Runtime failed in a step of the beat stage: {error};"
                " reset the encoder, and verify the bundle if it happens again"
            ) from error


def _probabilities(logits: Floats) -> Floats:
    found = np.empty_like(logits)
    softmax(logits, found)
    return found


def _check_token(stage: facts.BeatStage, where: str) -> None:
    if stage.width != TOKEN_WIDTH or stage.wait_ms != WAIT_S * 1000:
        raise BundleError(
            f"{where}: the beat stage takes tokens of {stage.width} numbers after"
            f" {stage.wait_ms:g} ms, this version makes {TOKEN_WIDTH} after {WAIT_S * 1000:g} ms;"
            " install the version of edge that the bundle was made for"
        )
    if stage.output("beats") is None:
        raise BundleError(f"{where}: the beat stage has no output of kind 'beats'")


def _check_graph(stage: facts.BeatStage, session: Any, where: str) -> None:
    """The graph must have the tensors that the manifest names, its inputs in the shapes given."""
    expected = {stage.input: [1, stage.width]}
    expected |= {s.name_in: [1, *s.shape] for s in stage.states}
    inputs = {tensor.name: list(tensor.shape) for tensor in session.get_inputs()}
    if inputs != expected:
        raise BundleError(
            f"{where}: the beat stage takes {inputs}, the manifest says {expected};"
            " fetch the bundle again"
        )
    named = {o.name for o in stage.outputs} | {s.name_out for s in stage.states}
    missing = named - {tensor.name for tensor in session.get_outputs()}
    if missing:
        raise BundleError(f"{where}: the beat stage has no output {sorted(missing)[0]!r}")
