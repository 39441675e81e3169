"""One driver a run in an object store: a lease that runs out, and a fence that only rises.

No process lock reaches across machines, so the holder renews its lease while it lives. Whoever
takes it over raises the fence, by a put that only succeeds on the version that was read; what a
replaced driver left behind is refused by that fence, as in raysearch.run_lease.
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from raysearch.errors import InfrastructureError, RaysearchError, RunExistsError
from raysearch.storage.objects import ObjectStore, Tag, Version

__all__ = ["EXPIRY_S", "KEY", "ObjectLease", "check_object_fence", "current_fence", "is_released"]

KEY = "lease.json"
EXPIRY_S = 60.0
RENEW_S = 15.0
POLL_S = 2.0


class ObjectLease:
    """A held run. Use as a context manager, or call ``release``.

    Attributes:
        fence: above that of every earlier holder.
    """

    def __init__(self, objects: ObjectStore, run: str, fence: int, tag: Tag) -> None:
        self._objects, self._key, self.fence, self._tag = objects, f"{run}/{KEY}", fence, tag
        self._lost: InfrastructureError | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease {run}", daemon=True)
        self._thread.start()

    @classmethod
    def acquire(
        cls,
        objects: ObjectStore,
        run: str,
        *,
        expiry_s: float = EXPIRY_S,
        say: Callable[[str], None] | None = None,
    ) -> "ObjectLease":
        """Take the run and raise its fence by one.

        Args:
            objects: the storage.
            run: the run's name.
            expiry_s: a holder that has not renewed for so long is dead.
            say: takes a line for the user; with it, a holder that may be dead is watched until
                it has renewed its lease or its lease has run out.

        Raises:
            RunExistsError: a living driver holds it; the message names its host and process.
        """
        key = f"{run}/{KEY}"
        before = objects.read(key)
        if say and before is not None:
            before = _watched(objects, key, before, expiry_s, say)
        if before is None:
            tag = objects.create(key, _content(1))
            if tag is None:
                raise RunExistsError(f"{objects.url}/{run}: another driver has just taken it")
            return cls(objects, run, 1, tag)
        holder = _holder(before, f"{objects.url}/{key}")
        left_s = _left_s(objects, before, holder, expiry_s)
        if left_s > 0:
            raise RunExistsError(
                f"{objects.url}/{run}: in use by process {holder['pid']} on {holder['host']}: stop"
                f" it, choose another --name, or, if it is dead, wait {left_s:.0f} s"
            )
        fence = holder["fence"] + 1
        tag = objects.swap(key, _content(fence), before.tag)
        if tag is None:
            raise RunExistsError(f"{objects.url}/{run}: another driver has just taken it")
        return cls(objects, run, fence, tag)

    def check(self) -> None:
        """Raise InfrastructureError if a later driver has taken the run over."""
        if self._lost is not None:
            raise self._lost
        check_object_fence(self._objects, self._key.rpartition("/")[0], self.fence)

    def release(self) -> None:
        """Give the run up; the fence stays. A second call does nothing."""
        if self._done.is_set():
            return
        self._done.set()
        self._thread.join()
        if self._lost is None:
            with contextlib.suppress(RaysearchError):  # it runs out by itself
                self._objects.swap(self._key, _content(self.fence, released=True), self._tag)

    def __enter__(self) -> "ObjectLease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _renew(self) -> None:
        while not self._done.wait(RENEW_S):
            try:
                tag = self._objects.swap(self._key, _content(self.fence), self._tag)
                tag = tag or self._own_tag()
            except RaysearchError:
                # The store is away, or refuses, for a moment; whoever takes the run over meanwhile
                # raises its fence.
                continue
            if tag is None:
                self._lost = InfrastructureError(
                    f"{self._objects.url}/{self._key}: taken over by another driver"
                )
                return
            self._tag = tag

    def _own_tag(self) -> Tag | None:
        """The lease's, if its fence is ours still: a put may succeed whose answer is lost."""
        found = self._objects.read(self._key)
        if found and _holder(found, f"{self._objects.url}/{self._key}")["fence"] == self.fence:
            return found.tag
        return None


def check_object_fence(objects: ObjectStore, run: str, fence: int) -> None:
    """Refuse to go on for a driver that has been replaced; call it before publishing.

    Raises:
        InfrastructureError: the run's fence has moved on.
    """
    current = current_fence(objects, run)
    if current != fence:
        raise InfrastructureError(
            f"{objects.url}/{run}: taken over by another driver (fence {current}, ours is {fence})"
        )


def current_fence(objects: ObjectStore, run: str) -> int | None:
    """The fence of whoever took the run last; ``None`` if nobody ever did."""
    found = objects.read(f"{run}/{KEY}")
    return int(_holder(found, f"{objects.url}/{run}/{KEY}")["fence"]) if found else None


def is_released(lease: bytes) -> bool:
    """Whether what was read of a lease says that nobody holds it; so says what is no lease."""
    try:
        return bool(json.loads(lease)["released"])
    except (ValueError, KeyError, TypeError):
        return True


def _watched(
    objects: ObjectStore, key: str, first: Version, expiry_s: float, say: Callable[[str], None]
) -> Version | None:
    """The lease as it is once its holder has shown life, let it go, or let it run out."""
    holder = _holder(first, f"{objects.url}/{key}")
    left_s = _left_s(objects, first, holder, expiry_s)
    if left_s > 0:
        say(
            f"process {holder['pid']} on {holder['host']} held this run {expiry_s - left_s:.0f} s"
            f" ago; if it is silent for {left_s:.0f} s more, it is dead and the search goes on"
        )
    until = time.monotonic() + left_s + 1  # stores tell times in whole seconds
    now: Version | None = first
    while now and now.tag == first.tag and left_s > 0 and time.monotonic() < until:
        time.sleep(POLL_S)
        now = objects.read(key)
    return now


def _left_s(objects: ObjectStore, lease: Version, holder: dict[str, Any], expiry_s: float) -> float:
    """Seconds for which the lease still counts, by the store's clock alone."""
    if holder["released"]:
        return 0.0
    return max(0.0, expiry_s - (objects.now() - lease.modified).total_seconds())


def _content(fence: int, *, released: bool = False) -> bytes:
    holder = {"fence": fence, "host": socket.gethostname(), "pid": os.getpid()}
    return json.dumps({**holder, "time": time.time(), "released": released}).encode()


def _holder(version: Version, place: str) -> dict[str, Any]:
    try:
        data = json.loads(version.data)
        fence = data["fence"]
    except (ValueError, KeyError, TypeError):
        raise InfrastructureError(f"{place}: holds no lease") from None
    if not isinstance(fence, int) or isinstance(fence, bool):
        raise InfrastructureError(f"{place}: holds no fence")
    return {"host": "?", "pid": "?", "released": False, **data}
