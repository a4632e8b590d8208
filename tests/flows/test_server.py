"""A command without a server has one of its own, which does not outlive it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from workspace import ROOT, environment

HOLD = """
from prefect.settings import get_current_settings
from flows import server
with server.at_hand() as wait:
    wait()
    print(get_current_settings().api.url, flush=True)
    input()
"""


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
