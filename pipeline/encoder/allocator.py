"""How the C library treats memory that PyTorch frees."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_BYTES = (1 << 31) - 1  # the most that an option holds


def keep_freed_memory() -> None:
    """Make glibc keep freed memory, because the next step allocates the same again.

    By default it returns large blocks to the system, which then clears them page by page at each
    allocation. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_TRIM_THRESHOLD, _BYTES)
        mallopt(_MMAP_THRESHOLD, _BYTES)
