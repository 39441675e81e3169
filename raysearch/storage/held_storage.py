"""Holds a whole storage: for whoever reads feature sets that no run's settings ask for.

``raysearch gc`` removes none while a process holds any folder of the storage.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from raysearch.errors import RaysearchError
from raysearch.run_lease import RunLease
from raysearch.storage.object_lease import KEY, ObjectLease
from raysearch.storage.objects import ObjectStore
from raysearch.storage.replica import replica_of

__all__ = ["held_storage"]


@contextmanager
def held_storage(storage: Path) -> Iterator[None]:
    """Keep the feature sets of ``storage`` from removal for the duration of a ``with``.

    Several processes may do so at once. What a killed one leaves holds nothing, and goes as other
    staged files do.

    Raises:
        InfrastructureError: the storage cannot be written.
    """
    mark = storage / f".features-in-use.{uuid.uuid4().hex}.tmp"
    replica = replica_of(storage)
    with ExitStack() as after:
        after.callback(shutil.rmtree, mark, ignore_errors=True)
        after.enter_context(RunLease.acquire(mark))
        if replica is not None:
            key = replica.key(mark)
            after.callback(_forget, replica.objects, f"{key}/{KEY}")
            after.enter_context(ObjectLease.acquire(replica.objects, key))
        yield


def _forget(objects: ObjectStore, key: str) -> None:
    with suppress(RaysearchError):  # it holds nothing any more, as after a kill
        objects.delete([key])
