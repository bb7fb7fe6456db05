"""HeartGPT as it is imported, beside a plain export of the same network: time, size, agreement.

    python -m benchmarks.bench_heartgpt [--weights FOLDER] [--records FOLDER/mitdb] [--json]

The plain form is the authors' network written in PyTorch and exported by `torch.onnx.export`, on
the same ONNX Runtime, one thread. Times are CPU time of this process for one window of 5 s, the
median of runs that take turns. Agreement is that of the most probable next token, over all
tokens of windows of mitdb DS1 at 100 Hz. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.heartgpt_torch import HeartGpt, load_weights
from benchmarks.machine import machine
from models.importing.checkpoint import open_checkpoint
from models.importing.heartgpt import read_weights
from models.importing.heartgpt_graph import CONTEXT, Weights, encoder_graph, every_token_graph
from models.onnx_session import open_session
from models.training.splits import MITDB_DS1

ROOT = Path(__file__).resolve().parent.parent
RATE_HZ = 100
STARTS_S = (300, 900)
EXAMPLES = ("ECG", "ECG_AFib1", "ECG_AFib2")
Tokens = NDArray[np.int64]


def tokens_of(window: NDArray[np.float64]) -> Tokens:
    """A window as the network reads it."""
    span = window.max() - window.min()
    return np.rint(100 * (window - window.min()) / span).astype(np.int64)


def recorded_windows(folder: Path) -> Tokens:
    """Two windows of the first lead of each record of DS1, (windows, 500)."""
    import wfdb
    from scipy.signal import resample_poly

    rows = []
    for name in MITDB_DS1:
        for start_s in STARTS_S:
            begin = 360 * start_s
            record = wfdb.rdrecord(
                str(folder / name), sampfrom=begin, sampto=begin + 3600, channels=[0]
            )
            at_100_hz = resample_poly(record.p_signal[:, 0], 5, 18)
            rows.append(tokens_of(at_100_hz[CONTEXT // 2 : CONTEXT // 2 + CONTEXT]))
    return np.stack(rows)


def plain_export(weights: Weights) -> bytes:
    """The network as PyTorch exports it: every token, logits of the next one."""
    import torch

    network = load_weights(HeartGpt(), weights)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, CONTEXT, dtype=torch.int64),)
        torch.onnx.export(
            network, example, file, dynamo=False, opset_version=17, input_names=["tokens"]
        )
    return file.getvalue()


def session(model: bytes) -> Any:
    """One thread, as in production."""
    return open_session(model, "benchmark", ("CPUExecutionProvider",))


def times_ms(sessions: dict[str, Any], tokens: Tokens, repeats: int) -> dict[str, float]:
    """Median CPU time of a run; the sessions take turns, each time with another window."""
    spent: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(repeats + 2):
        window = {"tokens": tokens[turn % len(tokens)][None]}
        for name, each in sessions.items():
            begin = time.process_time()
            each.run(None, window)
            spent[name].append(1000 * (time.process_time() - begin))
    return {name: round(median(each[2:]), 2) for name, each in spent.items()}


def next_tokens(model: bytes, tokens: Tokens) -> Tokens:
    """The most probable next token after each."""
    judged = session(model)
    rows = [judged.run(["next_token"], {"tokens": row[None]})[0].argmax(-1) for row in tokens]
    return np.stack(rows)


def deviation(weights: Weights, tokens: Tokens) -> float:
    """Largest difference of any element of an embedding from the authors' network."""
    import torch

    network, ours = load_weights(HeartGpt(), weights), session(encoder_graph(weights))
    worst = 0.0
    for row in tokens:
        with torch.no_grad():
            expected = network.embeddings(torch.from_numpy(row[None]))[:, -1].numpy()
        worst = max(
            worst, float(np.abs(ours.run(["embedding"], {"tokens": row[None]})[0] - expected).max())
        )
    return worst


def examples(folder: Path, weights: Weights) -> dict[str, dict[str, float]]:
    """The AF head on the authors' examples: probability of AF, fp32 and int8."""
    said: dict[str, dict[str, float]] = {}
    for form, int8 in (("fp32", False), ("int8", True)):
        judge = session(encoder_graph(weights, int8))
        for name in EXAMPLES:
            tokens = tokens_of(np.loadtxt(folder / f"example_context_{name}.csv"))
            logit = judge.run(["rhythm"], {"tokens": tokens[None]})[0][0, 0]
            said.setdefault(name, {})[form] = round(float(1 / (1 + np.exp(-logit))), 4)
    return said


def measure(folder: Path, records: Path, repeats: int) -> dict[str, Any]:
    """All figures of one run."""
    weights = read_weights(open_checkpoint(folder / "ECGPT_560k_iters.zip"))
    tuned = read_weights(open_checkpoint(folder / "ECGPT_AF_1k_iters.zip"))
    tokens = recorded_windows(records)
    models = {
        "plain export": plain_export(weights),
        "fp32": encoder_graph(weights),
        "int8": encoder_graph(weights, int8=True),
    }
    spent = times_ms({name: session(model) for name, model in models.items()}, tokens, repeats)
    exact, small = (next_tokens(every_token_graph(weights, q), tokens) for q in (False, True))
    rows = [
        {
            "name": name,
            "ms": spent[name],
            "times_plain": round(spent["plain export"] / spent[name], 2),
            "kb": round(len(model) / 1000),
        }
        for name, model in models.items()
    ]
    return {
        "windows": len(tokens),
        "rows": rows,
        "embedding_deviation": deviation(weights, tokens[::4]),
        "argmax_agreement_int8": round(float((exact == small).mean()), 4),
        "af_probability": examples(folder, tuned),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=ROOT / "../shared/weights/heartgpt")
    parser.add_argument("--records", type=Path, default=ROOT / "../shared/data/mitdb")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    report = {**machine(), **measure(options.weights, options.records, options.repeats)}
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"{report['windows']} windows of mitdb DS1; {report['cpu']}; one thread")
    for row in report["rows"]:
        print(f"{row['name']:14} {row['ms']:8} ms {row['times_plain']:6} x {row['kb']:6} KB")
    print(
        f"fp32: embeddings differ from the authors' by {report['embedding_deviation']:.1e} at most"
    )
    print(f"int8: next token as in fp32 in {report['argmax_agreement_int8']:.2%}")
    for name, said in report["af_probability"].items():
        print(f"AF in example {name:10} fp32 {said['fp32']:.4f}  int8 {said['int8']:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
