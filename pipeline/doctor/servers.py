"""The servers that the user has configured: MLflow, Prefect, the DVC remote."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from pipeline import layout, params
from pipeline.adapters import tracking
from pipeline.adapters.registry import Registry
from pipeline.adapters.runs import tracking_uri, without_credentials
from pipeline.champion import CHAMPION
from pipeline.doctor.finding import Finding, why
from pipeline.errors import InputError

_TIMEOUT_S = 5.0
_COMMAND_S = 30.0  # DVC and Prefect take seconds to start
_NOT_SET = 251  # the exit code of `dvc config` where there is no such key
_PORTS = {"http": 80, "https": 443, "ssh": 22, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{_TIMEOUT_S:.0f}",
    "PGCONNECT_TIMEOUT": f"{_TIMEOUT_S:.0f}",
}


def check_mlflow() -> Iterator[Finding]:
    """Check that MLflow's server or database answers, and say who is champion."""
    uri = tracking_uri()
    shown = without_credentials(uri)
    if gone := _unreachable(uri):
        yield Finding.wrong("mlflow", f"{shown}: {gone}", "start it, or set MLFLOW_TRACKING_URI")
        return
    path = uri.removeprefix("sqlite:///")
    if uri != path and not Path(path).is_file():
        yield Finding.ok("mlflow", f"{shown}: not there yet; the first run makes it")
        return
    os.environ.update({**_IMPATIENT, **os.environ})
    try:
        registry = Registry(params.load().bundle.name)
        champion = registry.at(CHAMPION)
    except InputError as error:
        advice = "see its log; check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        yield Finding.wrong("mlflow", str(error).removesuffix(tracking.UNSURE), advice)
        return
    named = f"its champion is version {champion.number}" if champion else "no champion yet"
    yield Finding.ok("mlflow", f"{shown}: {registry.name}: {named}")


def _unreachable(uri: str) -> str:
    """Return why a URI's host and port cannot be reached; empty if they can."""
    parts = urllib.parse.urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if not parts.hostname or port is None:
        return ""
    try:
        socket.create_connection((parts.hostname, port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        return f"cannot be reached ({error})"
    return ""


def check_prefect() -> Iterator[Finding]:
    """Check that Prefect's server, from the environment or the profile, is healthy."""
    url = os.environ.get("PREFECT_API_URL") or _configured_url()
    if not url:
        yield Finding.ok("prefect", "no server is configured; a run starts its own")
        return
    shown = without_credentials(url)
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=_TIMEOUT_S):  # noqa: S310
            yield Finding.ok("prefect", f"{shown} answers")
    except (OSError, ValueError) as error:
        advice = "start it (`prefect server start`), or set PREFECT_API_URL"
        yield Finding.wrong("prefect", f"{shown}: {without_credentials(str(error))}", advice)


def _configured_url() -> str:
    printed = _run("prefect", "config", "view", "--hide-sources")
    found = re.search(r"^PREFECT_API_URL='?([^'\s]+)", printed, re.MULTILINE)
    return found[1] if found else ""


def check_remote() -> Iterator[Finding]:
    """Check that DVC can look for data/ in its default remote."""
    try:
        name = _run("dvc", "config", "core.remote", codes=(0, _NOT_SET)).strip()
        if not name:
            yield Finding.ok("dvc remote", "no default remote; the cache is on this disk only")
            return
        url = _run("dvc", "config", f"remote.{name}.url").strip()
        if gone := _unreachable(url):  # DVC would say that it is empty
            raise InputError(f"{name}: {gone}")
        _run("dvc", "status", "--cloud", f"{layout.DATA}.dvc")  # --quiet would hide the reason
    except InputError as error:
        advice = "see `dvc remote list`; put credentials there with `dvc remote modify --local`"
        yield Finding.wrong("dvc remote", str(error), advice)
        return
    yield Finding.ok("dvc remote", f"{name} can be reached")


def _run(module: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command and return what it printed; `InputError` if it fails or takes too long."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMMAND_S
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"no answer in {_COMMAND_S:.0f} s") from None
    if done.returncode not in codes:
        said = why(done.stderr or done.stdout) or "no message"
        raise InputError(without_credentials(said))
    return done.stdout
