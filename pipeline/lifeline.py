"""How a process ends: with the one that started it, even where that one is killed; and at once."""

import atexit
import ctypes
import os
import signal
import sys
import threading
from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux only
_LAST_S = 60


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies; elsewhere than on Linux do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def dvc() -> int | None:
    """Return the number of the process of DVC's that runs this stage; None where none does.

    A shell between the two that does not give way to its command is taken for it.
    """
    return os.getppid() if "DVC_STAGE" in os.environ else None


def end_with_dvc() -> None:
    """Do so where DVC runs this stage: one left behind would write where the next run writes."""
    if dvc():
        end_with_parent()


def leave(code: int) -> NoReturn:
    """End with this exit code as Python does, but at once after the threads and exit functions.

    To take torch, MLflow or Prefect apart takes Python a second more. Who has still something to
    send to a server that is gone, as Prefect's threads may, has a minute.
    """

    def end(*_: object) -> NoReturn:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(_LAST_S)
    threading._shutdown()  # type: ignore[attr-defined]  # what Py_FinalizeEx does first
    atexit._run_exitfuncs()
    end()
