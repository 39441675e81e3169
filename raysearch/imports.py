"""How long imports take."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_collections"]


@contextmanager
def without_collections() -> Iterator[None]:
    """Nothing is collected meanwhile: for imports alone, whose objects stay.

    Python's collector walks through all objects again whenever their number has grown by a
    quarter. Of the imports of torch and Ray that takes an eighth of the time.
    """
    if not gc.isenabled():  # by an outer import, or by the user
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
