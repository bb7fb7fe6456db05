"""Errors of the runtime and the exit codes that they end a command with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 3
    SOURCE = 4
    MODEL = 5
    BROKER = 6
    THRESHOLD = 10
    STUCK = 70
    SIGINT = 130
    SIGTERM = 143


class EdgeError(Exception):
    """Base of the runtime's errors; its text says what, where and what to do."""

    exit_code = Exit.FAILURE


class UsageError(EdgeError):
    """Arguments that contradict each other or name nothing."""

    exit_code = Exit.USAGE


class ConfigError(EdgeError):
    """A configuration that cannot be read or does not hold."""

    exit_code = Exit.CONFIG


class BrokerError(EdgeError):
    """A broker that cannot be started or refuses for good."""

    exit_code = Exit.BROKER


class SourceFailedError(EdgeError):
    """A source that failed before its first sample."""

    exit_code = Exit.SOURCE


class MonitorError(EdgeError):
    """A defect that ended the monitoring of one patient."""


class StorageError(EdgeError):
    """A directory or file that cannot be written."""
