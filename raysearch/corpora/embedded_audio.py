"""Audio that lies inside a dataset's rows becomes files, once, below the storage.

Everything that follows knows audio by its path: its hash and header, the tasks that compute
features on any node, the page that plays it. To decode it in place, each of them would have to
find its row, and a row group is read whole even for one recording. Features are computed once and
kept, so the files are read about as often as the rows would be; they cost their size on disk.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from raysearch.config.identity import stable_hash
from raysearch.corpora.hugging_face_shards import Shard, batches
from raysearch.errors import ConfigError

__all__ = ["audio_file", "written_out"]


def written_out(shards: Sequence[Shard], column: str, storage: Path) -> Path:
    """The folder below ``storage`` that holds the audio of ``column``, made on first use.

    It appears whole, by one rename, and is used again until a shard changes. A row group is
    written before the next one is read.

    Raises:
        ConfigError: a shard is damaged, or there is no room.
    """
    parent = storage.expanduser().resolve() / ".corpora"
    stats = [shard.path.stat() for shard in shards]
    state = [
        [shard.name, one.st_size, one.st_mtime_ns] for shard, one in zip(shards, stats, strict=True)
    ]
    target = parent / f"hugging_face-{stable_hash([column, state], 16)}"
    if target.is_dir():
        return target
    parent.mkdir(parents=True, exist_ok=True)
    _check_room(sum(one.st_size for one in stats), parent)
    with tempfile.TemporaryDirectory(prefix=".hugging_face-", dir=parent) as folder:
        made = Path(folder) / "audio"
        made.mkdir()
        for shard in shards:
            _write(shard, column, made)
        try:
            made.rename(target)
        except OSError:
            # Another process was faster with the same rows.
            if not target.is_dir():
                raise
    return target


def audio_file(folder: Path, shard: Shard, row: int) -> Path:
    """Where ``written_out`` puts a row's audio, whose kind is told by its first bytes."""
    return folder / shard.name / f"{row:06}.audio"


def _check_room(num_bytes: int, parent: Path) -> None:
    free = shutil.disk_usage(parent).free
    if num_bytes > free:
        raise ConfigError(
            f"{parent}: the audio of the dataset needs about {num_bytes / 2**30:.1f} GiB, and"
            f" {free / 2**30:.1f} GiB are free: make room there, or choose another --storage"
        )


def _write(shard: Shard, column: str, made: Path) -> None:
    audio_file(made, shard, 0).parent.mkdir(parents=True, exist_ok=True)
    row = 0
    for batch in batches(shard, [column]):
        for cell in batch.column(0):
            audio = cell.as_py() or {}
            if audio.get("bytes"):
                audio_file(made, shard, row).write_bytes(audio["bytes"])
            row += 1
