"""What becomes of the memory that a training step frees."""

import ctypes

__all__ = ["keep_freed_memory"]

# mallopt(3). Blocks up to the first are taken from the heap, of which so much may stay unused.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
LARGEST_BLOCK, KEPT = 256 << 20, 1 << 30


def keep_freed_memory() -> bool:
    """Let the C library keep what this process frees, for its next step.

    By default glibc gives large blocks back to the kernel at once. Every training step then gets
    its maps as new pages, and the kernel fills thousands of them with zeros. The peak of a
    process' memory grows by a tenth at most (``results/reference/freed_memory.md``).

    Returns:
        Whether the C library knows these settings; others than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) and mallopt(M_TRIM_THRESHOLD, KEPT))
