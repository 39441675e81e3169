"""Whole objects under a URL: written at once or not at all, and only if nobody was faster.

Behind it is obstore (the Rust crate object_store), which has conditional puts for every store that
we name; pyarrow's file systems have none. Credentials and endpoints come from where each cloud's
own tools look first: the environment, then the machine's role.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import from_url

from raysearch.errors import ConfigError, InfrastructureError, StorageRefusedError, first_line

if TYPE_CHECKING:
    from obstore import UpdateVersion

__all__ = ["SCHEMES", "Entry", "ObjectStore", "Tag", "Version", "is_url"]

SCHEMES = ("s3", "gs", "file")
# Small objects: what does not answer in this time will not.
TIMEOUT = "30s"
# A store that fails by itself, or cannot be reached, is asked again for a minute: a search waits
# its outage out. The client's own ten tries are over after two seconds.
PATIENCE_S = 60.0
# Who has just typed an address wants to know sooner.
HURRY_S = 3.0

# What a store knows a version by: S3 by its ETag, Google by its generation.
Tag = tuple[str | None, str | None]


def is_url(text: str) -> bool:
    """Whether ``text`` names a store instead of a folder."""
    return "://" in text


@dataclass(frozen=True, slots=True)
class Version:
    """An object's content as it was at one time.

    Attributes:
        data: the bytes.
        tag: changes whenever the object does.
        modified: when it was written, by the store's own clock.
    """

    data: bytes
    tag: Tag
    modified: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing tells of an object: its size, and when it was written (since 1970)."""

    num_bytes: int
    modified: float


class ObjectStore:
    """The objects below ``url``; keys are relative to it, with ``/`` between their parts.

    Args:
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``file:///folder``.

    Raises:
        ConfigError: no such scheme, or no bucket.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in SCHEMES or not rest.strip("/"):
            raise ConfigError(
                f"{url!r}: no storage: give a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX"
            )
        self.url = url.rstrip("/")
        with self._told("opened"):
            try:
                self._store = from_url(self.url, **_options(scheme, PATIENCE_S))
                self._hurried = from_url(self.url, **_options(scheme, HURRY_S))
            except ValueError as error:
                raise ConfigError(f"{url!r}: no storage: {first_line(error)}") from None

    def reach(self) -> None:
        """Ask for something small, and not for long.

        Raises:
            StorageRefusedError: nothing may be read.
            InfrastructureError: no answer, or an error, within seconds.
        """
        with self._told("reached"), contextlib.suppress(NotFoundError, FileNotFoundError):
            obstore.head(self._hurried, ".probe")

    def read(self, key: str) -> Version | None:
        """The object; None if there is none."""
        with self._told("read"):
            try:
                found = obstore.get(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return None
            return Version(bytes(found.bytes()), _tag(found.meta), found.meta["last_modified"])

    def write(self, key: str, data: bytes | Path) -> None:
        """Put the object, a file's content if ``data`` is a path; what was there is replaced."""
        with self._told("written"):
            obstore.put(self._store, key, data)

    def create(self, key: str, data: bytes) -> Tag | None:
        """Put the object unless there is one; its tag, or None if there was."""
        with self._told("written"):
            try:
                return _tag(obstore.put(self._store, key, data, mode="create"))
            except AlreadyExistsError:
                return None

    def swap(self, key: str, data: bytes, tag: Tag) -> Tag | None:
        """Put the object if it still is the version ``tag``; the new tag, or None if it is not."""
        with self._told("written"):
            try:
                return _tag(obstore.put(self._store, key, data, mode=_update(tag)))
            except (PreconditionError, NotFoundError):
                return None

    def download(self, key: str, path: Path) -> bool:
        """Write the object to ``path``; whether there is one."""
        with self._told("read"):
            try:
                found = obstore.get(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return False
            with path.open("wb") as file:
                for chunk in found.stream():
                    file.write(chunk)
            return True

    def keys(self, prefix: str) -> list[str]:
        """The keys below the folder ``prefix``, sorted."""
        return sorted(self.sizes(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        """The keys below the folder ``prefix``, and the bytes of each object."""
        return {key: entry.num_bytes for key, entry in self.entries(prefix).items()}

    def entries(self, prefix: str) -> dict[str, Entry]:
        """The keys below the folder ``prefix``, and what a listing tells of each object."""
        with self._told("listed"):
            listed = obstore.list(self._store, prefix=prefix)
            return {
                item["path"]: Entry(item["size"], item["last_modified"].timestamp())
                for page in listed
                for item in page
            }

    def tags(self, prefix: str) -> dict[str, Tag]:
        """The keys below the folder ``prefix``, sorted, and what each version is known by."""
        with self._told("listed"):
            listed = obstore.list(self._store, prefix=prefix)
            return dict(sorted((item["path"], _tag(item)) for page in listed for item in page))

    def delete(self, keys: list[str]) -> None:
        """Remove the objects; some may be gone already."""
        with self._told("removed"):
            if keys:
                obstore.delete(self._store, keys)

    def check_writable(self) -> None:
        """Put and remove a small object.

        Raises:
            StorageRefusedError: it may not be written.
            InfrastructureError: it cannot be reached.
        """
        self.reach()
        self.now()

    def now(self) -> datetime:
        """The time by the store's own clock: of an object that is put there and removed."""
        key = f".probe-{uuid.uuid4().hex}"
        self.write(key, b"")
        with self._told("read"):
            modified = obstore.head(self._store, key)["last_modified"]
        self.delete([key])
        return modified

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise StorageRefusedError(
                f"{self.url}: may not be {what} with these credentials: {first_line(error)}"
            ) from None
        except (BaseError, OSError) as error:
            raise InfrastructureError(
                f"{self.url}: cannot be {what}: {first_line(error)}"
            ) from None


def _update(tag: Tag) -> "UpdateVersion":
    e_tag, version = tag
    known: UpdateVersion = {"e_tag": e_tag} if e_tag else {}
    return {**known, "version": version} if version else known


def _tag(meta: Any) -> Tag:
    return meta["e_tag"], meta["version"]


def _options(scheme: str, patience_s: float) -> dict[str, Any]:
    """Of the client that asks for so many seconds. A folder is made where it is missing."""
    if scheme == "file":
        return {"mkdir": True}
    # A test server, or one behind a cluster's own wall, may speak plain HTTP.
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    second = timedelta(seconds=1)
    backoff = {"init_backoff": 0.1 * second, "max_backoff": 2 * second, "base": 2}
    retries = {"max_retries": 1000, "backoff": backoff, "retry_timeout": patience_s * second}
    client = {"allow_http": plain, "timeout": TIMEOUT}
    return {"client_options": client, "retry_config": retries}
