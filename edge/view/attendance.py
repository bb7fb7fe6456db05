"""One viewer's time at the feed: from accepting the socket to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future

from starlette.websockets import WebSocket, WebSocketDisconnect

from edge.action_log import record
from edge.actions import Action, Outcome
from edge.view.hub import Hub, Viewer
from edge.view.requests import FetchStrip, Request, action_of, parse_request
from edge.view.ward import Ward
from edge.view.wire import document

__all__ = ["Attendance"]

ANSWER_S = 5.0
WELCOME_S = 0.1
"""Between two welcomes: whoever comes again and again must not keep the processor busy."""
REQUESTS_BURST, REQUESTS_A_SECOND = 20.0, 5.0
"""Far more than fingers can ask; whoever asks more is cut off."""
NONSENSE_MAX = 5
POLICY, AGAIN = 1008, 1013
"""Close codes (RFC 6455, section 7.4.1, and the IANA registry)."""

Ask = Callable[[Action], "Future[Outcome]"]

log = logging.getLogger(__name__)


class Attendance:
    """Serves viewers. ask: has a patient's monitor do something, in the engine's thread."""

    def __init__(self, ward: Ward, hub: Hub, ask: Ask) -> None:
        self._ward = ward
        self._hub = hub
        self._ask = ask
        self._door = asyncio.Lock()

    def open_door(self) -> None:
        """Another loop serves from now on: a lock is bound to the one that it was used in."""
        self._door = asyncio.Lock()

    async def __call__(self, socket: WebSocket) -> None:
        """Let a viewer in, show everything, do what is asked, until either side ends it."""
        viewer = self._hub.join()
        tasks: list[asyncio.Task[None]] = []
        try:
            await socket.accept()
            async with self._door:
                viewer.begin(self._ward.welcome())
                tasks = [
                    asyncio.create_task(self._send(socket, viewer)),
                    asyncio.create_task(self._listen(socket, viewer)),
                ]
                await asyncio.sleep(WELCOME_S)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(viewer)
            for task in tasks:
                task.cancel()
            for failed in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(failed, Exception) and not isinstance(failed, WebSocketDisconnect):
                    log.debug("a viewer's connection ended", exc_info=failed)

    async def _send(self, socket: WebSocket, viewer: Viewer) -> None:
        while (message := await viewer.next()) is not None:
            await socket.send_bytes(message)
        await socket.close(AGAIN, "too slow")

    async def _listen(self, socket: WebSocket, viewer: Viewer) -> None:
        loop = asyncio.get_running_loop()
        allowed, heard_s, nonsense = REQUESTS_BURST, loop.time(), 0
        while (message := await socket.receive())["type"] == "websocket.receive":
            now_s = loop.time()
            allowed = min(REQUESTS_BURST, allowed + (now_s - heard_s) * REQUESTS_A_SECOND) - 1
            heard_s = now_s
            request = parse_request(message.get("text") or message.get("bytes") or b"")
            nonsense += request is None
            if allowed < 0 or nonsense > NONSENSE_MAX:
                await socket.close(POLICY, "too much asked, or nothing that makes sense")
                return
            if request:
                await self._answer(request, viewer)

    async def _answer(self, request: Request, viewer: Viewer) -> None:
        if isinstance(request, FetchStrip):
            strip = self._ward.strip_document(request.patient, request.number)
            outcome = Outcome(strip is not None, "" if strip else "this strip is no longer kept")
            if strip:
                viewer.document(strip)
        else:
            action = action_of(request)
            outcome = await self._done(action)
            record(action, outcome)
        viewer.document(
            document("outcome", request=request.request, done=outcome.done, text=outcome.text)
        )

    async def _done(self, action: Action) -> Outcome:
        asked = asyncio.wrap_future(self._ask(action))
        try:
            return await asyncio.wait_for(asked, ANSWER_S)
        except TimeoutError:
            return Outcome(False, "the monitor is busy and has not answered")
        except asyncio.CancelledError:
            if asked.cancelled() and not _cancelling():
                return Outcome(False, "the run has ended")
            raise


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
