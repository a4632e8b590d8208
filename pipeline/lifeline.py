"""How a process ends: together with the one that started it, even if that is killed; and fast."""

import atexit
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from pipeline import files

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux only
_LAST_S = 60
_LOOK_S = 0.2  # whether DVC has ended, where a shell stands between


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies, and end if it has died already.

    Elsewhere than on Linux do nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if _is_orphan_of(os.getppid()):
            os.kill(os.getpid(), signal.SIGTERM)


def _is_orphan_of(pid: int) -> bool:
    """Return whether ``pid`` did not start this process but adopted it: its session is another.

    The leader of a session cannot tell.
    """
    session = os.getsid(0)
    if session == os.getpid():
        return False
    try:
        return os.getsid(pid) != session
    except ProcessLookupError:
        return True


def dvc() -> int | None:
    """Return the process id of the DVC that runs this stage; None if none does, or no longer.

    DVC starts a shell, which either gives way to its command or, as Debian's /bin/sh, waits for it.
    """
    if "DVC_STAGE" not in os.environ:
        return None
    runner = os.getppid()
    with contextlib.suppress(OSError):  # no Linux, or the parent has ended
        program, *_ = Path(f"/proc/{runner}/cmdline").read_bytes().split(b"\0")
        if program == os.fsencode(os.environ.get("SHELL") or "/bin/sh"):  # as DVC calls it
            _, _, status = Path(f"/proc/{runner}/stat").read_text().rpartition(")")
            runner = int(status.split()[1])
    return None if _is_orphan_of(runner) else runner


def end_with_dvc() -> None:
    """End with the DVC that runs this stage: an orphan would write where the next run writes."""
    if "DVC_STAGE" in os.environ:
        end_with_parent()
        runner = dvc()
        if runner != os.getppid():
            threading.Thread(target=_end_after, args=(runner,), daemon=True).start()


def _end_after(pid: int | None) -> None:
    while pid and files.is_alive(pid) and not _is_orphan_of(pid):
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


def leave(code: int) -> NoReturn:
    """Exit with this code as soon as the threads and the exit functions are done.

    Python itself would spend another second on taking torch, MLflow or Prefect apart. Threads that
    wait for a server that is gone, as Prefect's may, are given a minute.
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
