"""``raysearch run``, after which it is told whether this process had a CUDA context.

A list of a card's processes would not tell: in a container it is empty.
"""

import ctypes
import sys

__all__ = ["has_context"]


def has_context():
    """Whether this process has opened the first GPU, as the driver library itself knows."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    active, flags = ctypes.c_int(), ctypes.c_uint()
    library.cuInit(0)
    library.cuDevicePrimaryCtxGetState(0, ctypes.byref(flags), ctypes.byref(active))
    return bool(active.value)


if __name__ == "__main__":
    from raysearch.__main__ import main

    code = main(["run", *sys.argv[1:]])
    print(f"CUDA context: {has_context()}", flush=True)
    sys.exit(code)
