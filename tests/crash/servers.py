"""The servers of a trial: started, killed, frozen, started again; each on a free port."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from servers import free_port

from crash.world import WrongError

_START_S = 120.0
_NOBODY = 65534  # PostgreSQL does not run as root


@dataclass
class Server:
    """A server with a page that says that it is well."""

    command: list[str]
    folder: Path
    health: str
    variables: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + _START_S
        while not self.is_well():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.3)

    def is_well(self) -> bool:
        try:
            with urllib.request.urlopen(self.health, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
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
def mlflow(folder: Path, port: int, backend: str) -> Iterator[Server]:
    """Run an MLflow server whose artifacts are below ``folder``; it keeps them for its clients."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", backend, "--artifacts-destination", str(folder / "stored")]
    with _running(Server(command, folder, f"http://127.0.0.1:{port}/health")) as server:
        yield server


@contextlib.contextmanager
def prefect(folder: Path, port: int) -> Iterator[Server]:
    """Run a Prefect server with its database below ``folder``."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    variables = {"PREFECT_HOME": str(folder / ".prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "0"}
    made = Server(command, folder, f"http://127.0.0.1:{port}/api/health", variables)
    with _running(made) as server:
        yield server


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Postgres:
    """A PostgreSQL of its own, run by a user who is not root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        self._run("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "-o", self._options())

    @property
    def uri(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _options(self) -> str:
        return f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        drop = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        command = [program, "--pgdata", str(self.folder / "data"), *arguments]
        command = [*(drop if os.geteuid() == 0 else []), *command]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())

    def restart(self) -> None:
        """Take it down as a crash does, and start it again: it recovers from its log."""
        self._run("pg_ctl", "restart", "--wait", "--mode=immediate", "--log", f"{self.folder}/log")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder)
    try:
        yield server
    finally:
        with contextlib.suppress(RuntimeError):
            server.stop()


def await_end(process: "subprocess.Popen[bytes]", limit_s: float, what: str) -> int:
    """Wait for a process; one that outlasts the limit hangs, which is wrong."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise WrongError(f"{what} hangs: no end in {limit_s:.0f} s") from None
