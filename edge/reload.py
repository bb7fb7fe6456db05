"""Bundles that changed on disk, put into use while the runtime runs."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from functools import partial

from edge.bundles import ENCODER_OPENING_S, Bundles
from edge.config import Config
from edge.runtime import Runtime
from edge.worker import Worker
from models.bundle import Bundle
from models.errors import ModelError

__all__ = ["Reloader"]

log = logging.getLogger(__name__)


class Reloader(Worker):
    """Reads the bundles in use again when asked, in a thread of its own.

    A bundle is verified, tested and opened for every stream there before the engine hears of it;
    the engine's thread then changes the networks, between two packets. Where it is refused, that
    is logged with the reason, and the old one goes on. tell: called with True when a reload
    begins, with False when it is over.
    """

    def __init__(
        self,
        runtime: Runtime,
        bundles: Bundles,
        config: Config,
        tell: Callable[[bool], None] = lambda _: None,
    ) -> None:
        super().__init__("bundles")
        self._runtime = runtime
        self._bundles = bundles
        self._config = config
        self._tell = tell
        # Unlike an Event, a SimpleQueue may be put to by a signal handler that interrupts a put.
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def request(self) -> None:
        """Ask for a reload; from any thread or a signal handler."""
        self._wanted.put(True)

    def close(self, timeout_s: float) -> None:
        """Wait no more; a reload under way is left to itself after `timeout_s`."""
        self._closing.set()
        self._wanted.put(False)
        self._join(timeout_s)

    def reload(self) -> None:
        """Read all bundles in use again."""
        if not self._bundles.names:
            log.info("no bundle is in use: alarms from rules alone")
        for name in self._bundles.names:
            self._reload(name)

    def _run(self) -> None:
        while self._is_wanted():
            self._tell(True)
            try:
                self.reload()
            except Exception:  # the next request finds somebody all the same
                log.exception("reload failed")
            finally:
                self._tell(False)

    def _is_wanted(self) -> bool:
        self.pulse.rest()
        wanted = self._wanted.get()
        self.pulse.beat(ENCODER_OPENING_S)
        return wanted

    def _reload(self, name: str) -> None:
        monitors = [m for m in self._runtime.monitors if self._config.bundle_of(m.patient) == name]
        formats = [monitor.pipeline.format for monitor in monitors]
        old = self._bundles.in_use(name)
        try:
            fresh = self._bundles.replace(name, formats)
        except Exception as error:  # a runtime of another package may raise anything
            reason = error if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            log.error("bundle %s is refused, %s goes on: %s", name, _fact(old), reason)
            return
        if fresh is None:
            log.info("bundle %s has not changed, %s goes on", name, _fact(old))
            return
        for monitor, form, networks in zip(monitors, formats, fresh, strict=True):
            self._runtime.call(partial(monitor.renew, form, networks))
        log.info("bundle %s: %s replaces %s", name, _fact(self._bundles.in_use(name)), _fact(old))


def _fact(bundle: Bundle) -> str:
    return f"{bundle.manifest.name} {bundle.manifest.version} ({bundle.sha256[:12]})"
