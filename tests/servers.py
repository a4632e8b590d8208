"""Servers for tests, on free ports of loopback; each ends with its block."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

_START_S = 120.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def process(
    command: list[str], folder: Path, log: Path, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own until the block ends; ``log`` gets what it prints."""
    with log.open("ab") as stream:
        started = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        end(started)


def end(started: subprocess.Popen[bytes]) -> None:
    """End a process and its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(5)


@contextlib.contextmanager
def prefect(folder: Path) -> Iterator[str]:
    """Yield the API's URL of a Prefect server on SQLite in ``folder``; it may take a while."""
    port = str(free_port())
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    settings = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with process([*command, "--port", port], folder, folder / "server.log", **settings):
        url = f"http://127.0.0.1:{port}/api"
        yield url


@contextlib.contextmanager
def mlflow(folder: Path, database: str) -> Iterator[str]:
    """Yield the URL of an MLflow server; it may take a while."""
    port = str(free_port())
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    options = ["--backend-store-uri", database, "--artifacts-destination", str(folder / "mlruns")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with process([*command, *options, "--workers", "1"], folder, folder / "mlflow.log", **quiet):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Yield the URI of a fresh PostgreSQL database; SQLite's where PostgreSQL is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="charter-pg-"))
    if not shutil.which("initdb"):
        yield f"sqlite:///{folder}/mlflow.db"
        return
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()  # it refuses to be run by root
    shutil.chown(folder, user)
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"

    def call(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, user=user, stdout=subprocess.DEVNULL)

    data, log = str(folder / "data"), str(folder / "log")
    try:
        call("initdb", "--username", "charter", "--auth", "trust", "--no-sync", "-D", data)
        call("pg_ctl", "start", "--wait", "-D", data, "-l", log, "-o", options)
        yield f"postgresql+psycopg2://charter@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            call("pg_ctl", "stop", "--mode", "immediate", "-D", data)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(url: str, log: Path) -> None:
    """Wait until a URL answers."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer\n{log.read_text()[-2000:]}")


def post(url: str, **body: Any) -> Any:
    """Post until it is taken: a server whose SQLite is busy says so, or drops the connection."""
    until = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(url, json=body, timeout=30)
            if answer.is_success:
                return answer.json()
        assert time.monotonic() < until, f"{url} took nothing"
        time.sleep(0.5)
