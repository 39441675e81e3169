"""Published folders as objects: content by its hash, the manifest last.

A folder that ``published_folder`` has published lies under ``<key>/`` as ``<name>.json``, its
manifest (file name to SHA-256), beside ``objects/<SHA-256>``. A file that two checkpoints of a
trial share, such as the best weights so far, is sent and kept once. Without its manifest a folder
is not there, so one that was half sent never is.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from raysearch.errors import DataError
from raysearch.paths import is_name
from raysearch.published_folder import MANIFEST, load_json, verify
from raysearch.storage.mirror import at_once
from raysearch.storage.objects import ObjectStore

__all__ = ["fetch_folder", "forget_folders", "send_folder", "sweep_folders"]

OBJECTS = "objects"


def send_folder(objects: ObjectStore, folder: Path, key: str) -> None:
    """Send what ``folder`` holds to ``key``, which is ``<family>/<name>``.

    Raises:
        DataError: the folder is damaged.
        InfrastructureError: the storage cannot be written.
    """
    verify(folder)
    family, _, name = key.rpartition("/")
    manifest = load_json(folder / MANIFEST)
    there = set(objects.keys(f"{family}/{OBJECTS}"))
    files = {f"{family}/{OBJECTS}/{digest}": folder / file for file, digest in manifest.items()}
    at_once(lambda key: objects.write(key, files[key]), files.keys() - there)
    objects.write(f"{family}/{name}.json", (folder / MANIFEST).read_bytes())


def fetch_folder(objects: ObjectStore, key: str, folder: Path) -> bool:
    """Make ``folder`` hold what was sent to ``key``, whole or not at all; kept if it is there.

    Returns:
        Whether it is there now: nothing may have been sent.

    Raises:
        DataError: what comes is damaged, or a part of it is missing.
        InfrastructureError: the storage cannot be read.
    """
    if folder.is_dir():
        return True
    family, _, name = key.rpartition("/")
    manifest = objects.read(f"{family}/{name}.json")
    if manifest is None:
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    stage.mkdir()
    try:
        (stage / MANIFEST).write_bytes(manifest.data)
        for file, digest in load_json(stage / MANIFEST).items():
            if not is_name(file) or not re.fullmatch(r"[0-9a-f]{64}", str(digest)):
                raise DataError(f"{objects.url}/{key}: a file named {file!r} of hash {digest!r}")
            if not objects.download(f"{family}/{OBJECTS}/{digest}", stage / file):
                raise DataError(f"{objects.url}/{key}: the content of {file!r} is missing")
        verify(stage)
        _settle(stage, folder)
        return True
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _settle(stage: Path, folder: Path) -> None:
    """Give ``stage`` its name, unless another rank of this node has just fetched the same."""
    try:
        stage.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(stage)


def forget_folders(objects: ObjectStore, family: str, names: Iterable[str]) -> None:
    """Remove the folders ``names`` of ``family``, and content that no other one has.

    Another folder of the family may be on its way meanwhile, its content there and its manifest
    not yet, so only content that the removed manifests name goes; before them, so that whoever is
    stopped between the two can begin again.

    Raises:
        DataError: a damaged manifest.
        InfrastructureError: the storage cannot be read or written.
    """
    gone = {f"{family}/{name}.json" for name in names}
    keys = objects.keys(family)
    manifests = [key for key in keys if key.endswith(".json")]
    ours = [key for key in manifests if key in gone]
    others = [key for key in manifests if key not in gone]
    content = _contents(objects, ours) - _contents(objects, others)
    objects.delete([key for key in keys if key in content])
    objects.delete(ours)


def sweep_folders(objects: ObjectStore, place: str, kept: AbstractSet[str]) -> None:
    """Remove every folder below ``place``, ``<family>/<name>``, but those of the keys ``kept``.

    What was half sent goes, too: nobody may be sending.

    Raises:
        DataError: a damaged manifest of a kept folder.
        InfrastructureError: the storage cannot be read or written.
    """
    keys = objects.keys(place)
    manifests = [key for key in keys if key.endswith(".json")]
    staying = {key for key in manifests if key.removesuffix(".json") in kept}
    named = _contents(objects, staying)
    content = [key for key in keys if key.split("/")[-2:-1] == [OBJECTS] and key not in named]
    objects.delete(content)
    objects.delete([key for key in manifests if key not in staying])


def _contents(objects: ObjectStore, manifests: Iterable[str]) -> set[str]:
    """The keys of the content that the manifests name."""
    return set().union(*at_once(lambda key: _contents_of(objects, key), sorted(manifests)))


def _contents_of(objects: ObjectStore, key: str) -> set[str]:
    found = objects.read(key)
    if found is None:
        return set()
    try:
        digests = json.loads(found.data).values()
    except (ValueError, AttributeError):
        raise DataError(f"{objects.url}/{key}: a damaged manifest") from None
    return {f"{key.rpartition('/')[0]}/{OBJECTS}/{digest}" for digest in digests}
