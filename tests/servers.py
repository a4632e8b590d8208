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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

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
    started = launch(command, folder, log, **env)
    try:
        yield started
    finally:
        end(started)


def launch(command: list[str], folder: Path, log: Path, **env: str) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; ``log`` gets what it prints."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(started: subprocess.Popen[bytes]) -> None:
    """End a process and its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(5)


@dataclass
class Server:
    """A server that may be killed, frozen, and started again at the same address."""

    command: list[str]
    folder: Path
    url: str
    health: str  # a page that says that it is well
    variables: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.command[2]}.log"  # python -m NAME

    def start(self) -> None:
        """Start it; it may take a while until it answers."""
        self.process = launch(self.command, self.folder, self.log, **self.variables)

    def wait(self) -> None:
        """Wait until it answers."""
        assert self.process is not None
        until = time.monotonic() + _START_S
        while not self._is_well():
            gone = self.process.poll() is not None or time.monotonic() > until
            assert not gone, f"{self.health} does not answer\n{self.log.read_text()[-2000:]}"
            time.sleep(0.2)

    def _is_well(self) -> bool:
        try:
            return httpx.get(self.health, timeout=5).is_success
        except httpx.TransportError:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all its workers."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """kill -9, all of it."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a server, which is killed with the block."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def prefect(folder: Path, **variables: str) -> Iterator[Server]:
    """Run a Prefect server on SQLite in ``folder``."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    settings = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    made = Server(
        [*command, "--port", str(port)], folder, url, f"{url}/health", settings | variables
    )
    with running(made) as server:
        yield server


@contextlib.contextmanager
def prefect_on_postgres(folder: Path) -> Iterator[Server]:
    """Run a Prefect server on a PostgreSQL of its own, as a team's is; wait until it answers."""
    with postgres() as database:
        uri = database.uri.replace("psycopg2", "asyncpg")
        with prefect(folder, PREFECT_SERVER_DATABASE_CONNECTION_URL=uri) as server:
            server.wait()
            yield server


@contextlib.contextmanager
def mlflow(
    folder: Path, database: str, port: int | None = None, *options: str, **variables: str
) -> Iterator[Server]:
    """Run an MLflow server that keeps its clients' artifacts in ``folder``."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", database]
    command += ["--artifacts-destination", str(folder / "stored"), *options]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(Server(command, folder, url, f"{url}/health", quiet | variables)) as server:
        yield server


class Postgres:
    """A PostgreSQL with a fresh database, run by a user who is not root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        shutil.chown(folder, self._user)
        port = free_port()
        self.uri = f"postgresql+psycopg2://charter@127.0.0.1:{port}/postgres"
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        self._call("initdb", "--username=charter", "--auth=trust", "--no-sync")
        self._call("pg_ctl", "start", "--wait", f"--log={folder}/server.log", "-o", options)

    def _call(self, program: str, *arguments: str) -> None:
        command = [program, f"--pgdata={self._folder}/data", *arguments]
        with (self._folder / "log").open("ab") as log:
            subprocess.run(
                command, check=True, cwd=self._folder, user=self._user, stdout=log, stderr=log
            )

    def restart(self) -> None:
        """Take it down as a crash does, and start it again: it recovers from its log."""
        log = f"--log={self._folder}/server.log"
        self._call("pg_ctl", "restart", "--wait", "--mode=immediate", log)

    def stop(self) -> None:
        """Take it down as a crash does."""
        self._call("pg_ctl", "stop", "--mode=immediate")


def has_postgres() -> bool:
    return shutil.which("initdb") is not None


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL in a folder that its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="charter-pg-"))
    try:
        server = Postgres(folder)
        yield server
        with contextlib.suppress(subprocess.CalledProcessError):  # it is stopped already
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def s3(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run an S3 server (moto) with one bucket; its keys are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket=bucket)
        yield url
    finally:
        server.stop()


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
