"""What processes do in tests of starting them; nothing heavy is imported."""

import os
import signal
import sys
import time
from pathlib import Path

from pipeline import processes


def refuse() -> int:
    """Exit as a command does whose input is bad."""
    return 2


def wait(folder: str) -> int:
    """Say who this is, and go on for longer than any test waits."""
    (Path(folder) / f"{processes.rank()}-{os.getpid()}").touch()
    time.sleep(600)
    return 0


def lose_the_second(folder: str) -> int:
    """The second process is killed; the first would wait for ever."""
    if processes.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return wait(folder)


if __name__ == "__main__":
    sys.exit(processes.start(2, wait, sys.argv[1]))
