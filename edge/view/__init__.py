"""The live page: `edge run --view` shows its patients in any browser.

Needs the extra `view` (starlette, uvicorn, websockets); nothing of these is imported before a
page is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from edge.clock import Clock
from edge.config import Config
from edge.errors import ConfigError
from edge.monitor import Monitor
from edge.runtime import Runtime

if TYPE_CHECKING:
    from edge.view.live import LiveView
    from edge.view.ward import Ward

__all__ = ["NoView", "open_view"]


class NoView:
    """No page is asked for."""

    watchers: tuple[Ward, ...] = ()
    url: str | None = None
    server: None = None

    def start(self, monitors: Sequence[Monitor]) -> None:
        """Nothing to show."""


def open_view(
    config: Config, clock: Clock, runtime: Callable[[], Runtime], stack: ExitStack
) -> LiveView | NoView:
    """The page that the configuration asks for, which may be none.

    runtime: gives the runtime, once it is made, to which what people ask is handed on.
    stack: closes the page at the end of the run.
    Raises ConfigError where the extra is missing or a file that it names is not as it should be.
    """
    if config.view is None:
        return NoView()
    try:
        from edge.view.live import LiveView
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("starlette", "uvicorn", "websockets", "h11"):
            raise
        raise ConfigError(
            f"--view needs {missing}: install the extra, pip install 'edge[view]'"
        ) from None
    view = LiveView(config.view, config.signal, clock, runtime)
    stack.callback(view.close)
    return view
