"""Stages that run in several processes: starting them, and which of them this one is.

What starts them (`start` here, torchrun, accelerate launch, srun, a Kubernetes PyTorchJob) puts
RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT into the environment of each.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from pipeline import lifeline

_GRACE_S = 60.0  # for the others if one fails: process 0 still records how the stage ended
_INTERRUPTED_CODE = 1  # of a process that a signal ended


def rank() -> int:
    """Return this process's number, from 0; only process 0 reports, records and writes."""
    return int(os.environ.get("RANK", "0")) if started() else 0


def label() -> str:
    """Return the prefix of a line on stderr: none in process 0."""
    return f"rank {rank()}: " if rank() else ""


def started() -> bool:
    """Return whether this process is one of several that were started together."""
    return "WORLD_SIZE" in os.environ


def start(processes: int, work: Callable[..., int], *arguments: Any) -> int:
    """Run ``work(*arguments)`` in several new processes of this machine; return the exit code.

    It is 0 if all returned 0, else that of the first that did not. If one fails or is killed the
    others end too, and all end with this process, even if it is killed.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]
    from torch.multiprocessing.spawn import ProcessExitedException, start_processes

    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    context = start_processes(
        _work_as, (processes, store.port, work, arguments), processes, join=False
    )
    try:
        while not context.join(grace_period=_GRACE_S):
            pass
    except ProcessExitedException as stopped:
        if stopped.exit_code > 0:
            return stopped.exit_code
        print(f"rank {stopped.error_index}: {stopped}", file=sys.stderr)  # noqa: T201
        return _INTERRUPTED_CODE
    return 0


def _work_as(
    number: int, processes: int, port: int, work: Callable[..., int], arguments: tuple[Any, ...]
) -> None:
    lifeline.end_with_parent()  # torch asks for SIGINT, which one started with & or by cron ignores
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ |= {  # the store is the starting process's, so that no free port has to be guessed
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
    }
    sys.exit(work(*arguments))
