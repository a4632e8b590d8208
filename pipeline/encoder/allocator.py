"""What the C library does with memory that PyTorch gives back."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_BYTES = (1 << 31) - 1  # the most that an option holds


def keep_freed_memory() -> None:
    """Let glibc keep what is freed: the next step asks for the same again.

    By default it returns large blocks to the system, which clears them page by page each time they
    are asked for. Another C library is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_TRIM_THRESHOLD, _BYTES)
        mallopt(_MMAP_THRESHOLD, _BYTES)
