"""A command without a server has one of its own, which does not outlive it."""

import asyncio
import contextlib
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import time
import weakref
from pathlib import Path

import httpx
import pytest
import sqlalchemy
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from workspace import ROOT, environment

from flows import serving

HOLD = """
from prefect.settings import get_current_settings
from flows import server
with server.at_hand() as wait:
    wait()
    print(get_current_settings().api.url, flush=True)
    input()
"""


TASKS = 60
MANY = f"""
from prefect import flow, task
from flows import server
@task
def nothing(): pass
@flow
def many():
    for number in range({TASKS}): nothing()
with server.at_hand() as wait:
    wait()
    many()
"""


@pytest.mark.slow
def test_the_last_tasks_are_on_record_when_the_server_has_ended(tmp_path: Path) -> None:
    """It used to end while its recorder was behind, as it is after a run with nothing to do."""
    environ = {**environment(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", MANY], env=environ, check=True)
    with contextlib.closing(sqlite3.connect(Path(environ["PREFECT_HOME"]) / "prefect.db")) as found:
        states = found.execute("SELECT state_name, count(*) FROM task_run GROUP BY state_name")
        assert list(states) == [("Completed", TASKS)]


def test_garbage_is_collected_only_while_no_connection_is_in_use() -> None:
    """A cursor that is collected waits for its connection, which may wait for its collector."""
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
    collector = serving.Collector()
    try:
        collector.watch(engine.pool)
        with engine.connect():
            with engine.connect():
                gone = [make_garbage() for _ in range(30_000)]
            assert gone[0]()
            assert gone[-1]()
        assert not any(each() for each in gone)
    finally:
        gc.enable()
        gc.unfreeze()


class Garbage:
    pass


def make_garbage() -> "weakref.ref[Garbage]":
    """Return a reference to something that only the garbage collector can free."""
    made = Garbage()
    made.itself = made  # type: ignore[attr-defined]
    return weakref.ref(made)


@pytest.mark.slow
def test_a_killed_command_takes_its_server_with_it(tmp_path: Path) -> None:
    """Prefect's own temporary server would stay, and hold its database."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**environment(tmp_path), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout
        url = command.stdout.readline().strip()
        assert answers(url)
        os.kill(command.pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while answers(url):
        assert time.monotonic() < until
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


class LockedError(Exception):
    """As SQLite refuses a transaction; an answer is made of it, and it is raised again."""


class Busy:
    """An application that is busy for the first ``times`` questions, then says what it was sent."""

    def __init__(self, times: int, status: int = 503) -> None:
        self.times, self.status, self.asked = times, status, 0
        handlers = {Exception: lambda *_: Response("busy", self.status)}
        self.app = Starlette(
            routes=[Route("/", self.answer, methods=["POST"])], exception_handlers=handlers
        )

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        if self.asked <= self.times:
            raise LockedError
        return JSONResponse((await request.body()).decode())


async def ask(busy: Busy, text: str = "x" * 100_000) -> httpx.Response:
    transport = httpx.ASGITransport(serving.AskAgain(busy.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.post("/", content=text)


def test_a_question_refused_by_a_locked_database_is_asked_again_whole() -> None:
    busy = Busy(times=2)
    assert asyncio.run(ask(busy)).json() == "x" * 100_000
    assert busy.asked == 3


def test_a_database_that_stays_locked_is_told_to_the_client() -> None:
    assert asyncio.run(ask(Busy(times=100))).status_code == 503


def test_a_failure_is_not_asked_again() -> None:
    busy = Busy(times=100, status=500)
    assert asyncio.run(ask(busy)).status_code == 500
    assert busy.asked == 1
