"""Errors of this package, split by who can mend them."""

__all__ = ["BundleError", "ModelError", "RuntimeMissingError", "SelfTestError", "StepError"]


class ModelError(Exception):
    """Base of all errors of this package; its text says what, where and what to do."""


class BundleError(ModelError):
    """A bundle that cannot be trusted or understood: mend or replace the bundle."""


class SelfTestError(BundleError):
    """An encoder that does not answer as the bundle promises, be it the model or the runtime."""


class RuntimeMissingError(ModelError):
    """The inference runtime is not installed or does not start: mend the installation."""


class StepError(ModelError):
    """A hop that the encoder cannot take: wrong shape, type or values; mend the caller."""
