"""``python -m flows.serving PORT``: Prefect's server on SQLite, for the time of one command.

It differs from `prefect server start` in what befalls a run that begins and ends with its server:
a busy database, a deadlock with Python's garbage collector, and events that come last.
"""

import asyncio
import gc
import sys
import time
from typing import TYPE_CHECKING

from pipeline import lifeline

if TYPE_CHECKING:
    from sqlalchemy import Pool
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUSY = 503
_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4)
_LAST_S = 30.0  # for what is still to be recorded
_POLL_S = 0.05
_GARBAGE = 20_000  # objects made and not yet freed


def main(port: int) -> None:
    """Serve on loopback until told to end, or until the command has ended."""
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


if __name__ == "__main__":
    main(int(sys.argv[1]))
