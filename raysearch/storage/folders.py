"""Published folders as objects: content by its hash, the manifest last.

A folder that ``training.checkpoint`` has published lies under ``<key>/`` as ``<name>.json``, its
manifest (file name to SHA-256), beside ``objects/<SHA-256>``. A file that two checkpoints of a
trial share, such as the best weights so far, is sent and kept once. Without its manifest a folder
is not there, so one that was half sent never is.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from raysearch.errors import DataError
from raysearch.paths import is_name
from raysearch.storage.mirror import at_once
from raysearch.storage.objects import ObjectStore
from raysearch.training.checkpoint import MANIFEST, load_json, verify

__all__ = ["fetch_folder", "forget_folders", "send_folder"]

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
        DataError: what comes is damaged.
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
            objects.download(f"{family}/{OBJECTS}/{digest}", stage / file)
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
    """Remove the folders ``names`` of ``family``, and content that no other one has."""
    gone = {f"{family}/{name}.json" for name in names}
    keys = objects.keys(family)
    others = [key for key in keys if key.endswith(".json") and key not in gone]
    manifests = [json.loads(found.data) for found in at_once(objects.read, others) if found]
    kept = {f"{family}/{OBJECTS}/{d}" for manifest in manifests for d in manifest.values()}
    objects.delete([key for key in keys if key in gone])
    contents = [key for key in keys if key.startswith(f"{family}/{OBJECTS}/")]
    objects.delete([key for key in contents if key not in kept])
