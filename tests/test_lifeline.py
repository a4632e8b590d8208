"""A stage ends with the DVC that runs it, and only then: seen with real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import files

ROOT = Path(__file__).parents[1]
CHILD = """
import os, time
from pipeline import lifeline
lifeline.end_with_dvc()
print(os.getpid(), flush=True)
time.sleep(60)
"""
CALLS = {
    "itself": [sys.executable, "-c", CHILD],
    "a shell that waits": ["/bin/sh", "-c", f"{sys.executable} -c '{CHILD}'; true"],
    "a shell that gives way": ["/bin/sh", "-c", f"exec {sys.executable} -c '{CHILD}'"],
}
PARENT = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"


def has_ended(pid: int, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while files.is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not files.is_alive(pid)


@pytest.mark.parametrize("by_dvc", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_a_stage_ends_when_its_dvc_is_killed(call: str, by_dvc: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    environment |= {"SHELL": "/bin/sh"} | ({"DVC_STAGE": "split"} if by_dvc else {})
    script = [sys.executable, "-c", PARENT, *CALLS[call]]
    parent = subprocess.Popen(script, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        assert has_ended(child, 10 if by_dvc else 0.5) == by_dvc
    finally:
        if files.is_alive(child):
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("call", CALLS)
def test_a_stage_whose_dvc_was_killed_before_it_could_ask_ends_too(call: str) -> None:
    """The kernel tells of a parent's death only those who have asked before it."""
    late = "import os, sys, time; time.sleep(1); " + CHILD.strip().replace("\n", "; ")
    script = [word.replace(CHILD, late) for word in CALLS[call]]
    parent = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid)"
    environment = os.environ | {"SHELL": "/bin/sh", "DVC_STAGE": "split"}
    started = subprocess.run(
        [sys.executable, "-c", parent, *script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,  # the child holds the output open for as long as it lives, 60 s
        check=True,
        start_new_session=True,  # as a flow does, or a terminal: not that of the first process
    )
    assert has_ended(int(started.stdout.split()[0]), 10)


LEAVING = """
import atexit, sys, threading, time
from pipeline import lifeline
atexit.register(print, "at exit")
late = threading.Thread(target=lambda: (time.sleep(0.5), print("thread")), daemon={daemon})
late.start()
sys.stdout.write("unflushed ")
lifeline.leave(3)
"""


@pytest.mark.parametrize("daemon", [True, False])
def test_leaving_loses_nothing_printed_and_no_thread_at_work(daemon: bool) -> None:
    script = [sys.executable, "-c", LEAVING.format(daemon=daemon)]
    left = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    awaited = [] if daemon else ["thread"]
    assert (left.returncode, left.stdout.split()) == (3, ["unflushed", *awaited, "at", "exit"])


def test_a_thread_that_never_ends_does_not_keep_a_process_that_leaves() -> None:
    """As Prefect's do that have events for a server that is gone."""
    stuck = (
        "import threading, time\nfrom pipeline import lifeline\nlifeline._LAST_S = 1\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "print('all said', end='')\nlifeline.leave(3)"
    )
    script = [sys.executable, "-c", stuck]
    left = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (left.returncode, left.stdout) == (3, "all said")
