"""Prefect's server for a command: the one that is configured, or one that ends with the command.

Prefect can start one itself, but then imports the whole server into this process, which takes
seconds, and leaves it running when this process is killed.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    get_current_settings,
    temporary_settings,
)

from pipeline import layout

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


@contextlib.contextmanager
def at_hand(start: bool = True) -> Iterator[Callable[[], None]]:
    """Start a server where none is configured; yield a function that waits until it answers."""
    if not start or get_current_settings().api.url:
        yield lambda: None
        return
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.serving", port],
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
