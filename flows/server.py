"""Prefect's server for a command: the one that is configured, or one that ends with the command.

Prefect would start one itself, but imports all of the server into this process to do so, which
takes seconds, and leaves it running where this process is killed.
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
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

from pipeline import layout, lifeline

_START_S = 120.0  # on a busy machine
_LAST_S = 10.0
# What Prefect sets for the one it starts (prefect.server.api.server, SubprocessASGIServer).
_TEMPORARY = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


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
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield lambda: _wait(f"{url}/health", process)
    finally:
        _send_the_last()
        process.terminate()
        process.wait()


def _send_the_last() -> None:
    """Send the events and log lines that Prefect keeps back for a moment."""
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


def _serve(port: int) -> None:
    import uvicorn

    lifeline.end_with_parent()
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        port=port,
        log_level="error",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
