"""ONNX Runtime sessions from verified bytes: one thread, no files, clear refusals."""

from __future__ import annotations

from typing import Any

from models.errors import BundleError, RuntimeMissingError

__all__ = ["open_session"]


def open_session(
    model: bytes,
    where: str,
    providers: tuple[str, ...],
    profile: str | None = None,
    threads: int = 1,
) -> Any:
    """An `onnxruntime.InferenceSession` with exactly these providers.

    where: names the model in errors. profile: path that the name of a profile begins with; the
    session then notes which node ran where, until `end_profiling`. threads: of one operator.
    RuntimeMissingError: ONNX Runtime is missing, broken or has no such provider. BundleError:
    it refuses the model.
    """
    ort = _runtime(providers)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    try:
        return ort.InferenceSession(model, options, providers=list(providers))
    except Exception as error:  # its exceptions share no base but Exception
        raise BundleError(
            f"{where}: ONNX Runtime {ort.__version__} refuses the model: {error};"
            " fetch the bundle again, or upgrade onnxruntime"
        ) from error


def _runtime(providers: tuple[str, ...]) -> Any:
    """The onnxruntime module, once it is known to work and to have these providers."""
    try:
        import onnxruntime as ort

        available = ort.get_available_providers()
    except Exception as error:  # a broken native library raises more than ImportError
        raise RuntimeMissingError(
            f"ONNX Runtime cannot be used ({error}); install it: pip install onnxruntime"
        ) from error
    unknown = set(providers) - set(available)
    if unknown:
        raise RuntimeMissingError(
            f"ONNX Runtime has no {', '.join(sorted(unknown))} here; available:"
            f" {', '.join(available)}; choose the device `cpu` or install another build of it"
        )
    return ort
