"""A process that ends with the one that started it, even where that one is killed."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux only


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies; elsewhere than on Linux do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_with_dvc() -> None:
    """Do so where DVC runs this stage: one left behind would write where the next run writes."""
    if "DVC_STAGE" in os.environ:
        end_with_parent()
