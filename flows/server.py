"""Prefect's server for a command: the one that is configured, or one that ends with the command.

Prefect can start one itself, but then imports the whole server into this process, which takes
seconds, and leaves it running when this process is killed.
"""

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    get_current_settings,
    temporary_settings,
)

from pipeline import layout, lifeline

if TYPE_CHECKING:
    from sqlalchemy import Pool
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_START_S = 120.0  # on a busy machine
_LAST_S = 30.0
_TEMPORARY = {
    # What Prefect sets for the one it starts (prefect.server.api.server, SubprocessASGIServer).
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    # Block types are for the page of a server that stays.
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "0",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "0",
}
_BUSY = 503
_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4)
_GARBAGE = 20_000  # objects made and not yet freed
_POLL_S = 0.05


@contextlib.contextmanager
def at_hand(start: bool = True) -> Iterator[Callable[[], None]]:
    """Start a server where none is configured; yield a function that waits until it answers."""
    if not start or get_current_settings().api.url:
        yield lambda: None
        return
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.server", port],
        env={**os.environ, **_TEMPORARY, "PYTHONPATH": layout.python_path()},
    )
    url = f"http://127.0.0.1:{port}/api"
    own = {PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}  # nobody listens for it
    try:
        with temporary_settings(own):
            yield lambda: _wait(f"{url}/health", process)
    finally:
        flush_clients()
        process.terminate()
        process.wait()


def flush_clients() -> None:
    """Send the events and log lines that Prefect's client threads still hold back.

    They know one server only, and would ask it again and again once it is gone.
    """
    EventsWorker.drain_all(timeout=_LAST_S)
    APILogWorker.drain_all(timeout=_LAST_S)


def free_port() -> str:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_S
    with httpx.Client() as client:
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if client.get(url).is_success:
                    return
            time.sleep(0.1)
    raise RuntimeError(
        f"Prefect's server does not answer at {url}; `prefect server start` says why"
    )


class AskAgain:
    """Ask an ASGI application again, soon, where it is busy: Prefect's client waits two seconds.

    In SQLite a transaction that has read cannot go on to write once another one has written. It is
    refused at once, with nothing done (SQLITE_BUSY_SNAPSHOT, https://sqlite.org/rescode.html);
    that befalls most flows here, since the server records their events meanwhile.
    """

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one question, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = [await receive()]
        while asked[-1].get("more_body"):
            asked.append(await receive())
        for pause_s in _PAUSES_S:
            answer = _Unless503(send)
            try:
                await self.app(dict(scope), _replayed(asked, receive), answer)
            except Exception:  # raised again once an answer was made of it
                if not answer.held:
                    raise
            if not answer.held:
                return
            await asyncio.sleep(pause_s)
        await self.app(scope, _replayed(asked, receive), send)


class _Unless503:
    """Send an answer on as it comes, but hold back one that says: busy."""

    def __init__(self, send: "Send") -> None:
        self.send = send
        self.held = False

    async def __call__(self, message: "Message") -> None:
        self.held = self.held or message.get("status") == _BUSY
        if not self.held:
            await self.send(message)


def _replayed(asked: "list[Message]", receive: "Receive") -> "Receive":
    left = iter(asked)

    async def replay() -> "Message":
        return next(left, None) or await receive()

    return replay


class EndRecorded:
    """End an ASGI application only when it has recorded the events that it was sent.

    Prefect's server cancels what is recording them, and a page then lacks the last tasks' states.
    """

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one question, as ASGI has it."""

        async def last() -> "Message":
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await _await_recorders()
            return message

        await self.app(scope, last if scope["type"] == "lifespan" else receive, send)


async def _await_recorders() -> None:
    from prefect.server.utilities.messaging.memory import METRICS

    until = time.monotonic() + _LAST_S
    while time.monotonic() < until:
        if all(each["consumed"] >= each["published"] for each in METRICS.values()):
            return
        await asyncio.sleep(_POLL_S)


class Collector:
    """Collects garbage only while no connection to the database is in use.

    Python collects in the thread of the server's loop, and closes cursors there. Where a cursor's
    connection waits in a thread of its own for SQLite's lock, the loop waits for the connection;
    and the lock's holder, if it is a transaction of the loop's, for the loop: until the minute
    that Prefect has SQLite wait is over. The client has given up by then.
    """

    def __init__(self) -> None:
        self.in_use = 0
        gc.disable()

    def watch(self, pool: "Pool | type[Pool]") -> None:
        """Follow the connections of a pool, or of all pools."""
        from sqlalchemy import event

        event.listen(pool, "checkout", self._taken)
        event.listen(pool, "checkin", self._given_back)
        gc.freeze()  # the modules: what is here already is no garbage

    def _taken(self, *_: object) -> None:
        self.in_use += 1

    def _given_back(self, *_: object) -> None:
        self.in_use -= 1
        if not self.in_use and gc.get_count()[0] > _GARBAGE:
            gc.collect()


def _serve(port: int) -> None:
    lifeline.end_with_parent()  # before the seconds that these imports take
    collector = Collector()
    import uvicorn
    from prefect.server.api.server import create_app
    from sqlalchemy import Pool

    collector.watch(Pool)
    uvicorn.run(
        EndRecorded(AskAgain(create_app())),
        port=port,
        log_level="error",
        timeout_graceful_shutdown=5,
    )
    lifeline.leave(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
