"""Which feature sets of a storage may be read, as often as that is asked."""

from pathlib import Path

from raysearch.errors import UserError
from raysearch.run_folder import RunFolder
from raysearch.run_lease import is_held
from raysearch.searching.leftover_features import is_unused, unused_features, used_features
from raysearch.searching.leftover_kinds import Leftover, quiet, staged_below
from raysearch.searching.storage_folders import StorageFolders
from raysearch.streaming.store import feature_store

__all__ = ["SetsInUse"]


class SetsInUse:
    """The feature sets that the runs of a storage ask for.

    Args:
        storage: the folder.
    """

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        # By the run and when its settings were written: they are read once.
        self._known: dict[tuple[Path, int], set[str]] = {}

    def unused(self) -> list[Leftover]:
        """The sets that no run asks for, and what was staged beside them; raises as ``may_go``."""
        paths = unused_features(self._storage, self._used())
        sets = [Leftover.at(path, "feature set") for path in paths]
        return [*filter(quiet, sets), *staged_below(feature_store(self._storage))]

    def may_go(self, leftover: Leftover) -> bool:
        """Whether one of ``unused`` is still unused and quiet.

        Raises:
            RaysearchError: any set may be in use: a process is at work here, or a run does not say
                which sets it asks for.
        """
        used = self._used()
        asked = leftover.kind == "feature set" and not is_unused(leftover.path.name, used)
        return not asked and quiet(leftover)

    def _used(self) -> set[str]:
        folders = StorageFolders(self._storage)
        if held := next(filter(is_held, folders.found), None):
            raise UserError(f"a process holds {held.name}")
        if folders.unread:
            raise UserError(f"{next(iter(folders.unread)).name} may ask for any")
        return {name for run in map(RunFolder, folders.runs) for name in self._of_run(run)}

    def _of_run(self, run: RunFolder) -> set[str]:
        key = (run.root, run.spec_file.stat().st_mtime_ns)
        if key not in self._known:
            self._known[key] = used_features(self._storage, [run])
        return self._known[key]
