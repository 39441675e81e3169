"""Feature sets below a storage that none of its runs asks for."""

import re
from collections.abc import Iterable, Set
from pathlib import Path

from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.streaming.store import feature_source, feature_store
from raysearch.streaming.wanted_features import WantedFeatures

__all__ = ["is_unused", "unused_features", "used_features"]

_SET = re.compile(r"\w+-\w+-[0-9a-f]+", re.ASCII)


def unused_features(storage: Path, used: Set[str]) -> list[Path]:
    """Return the folders of sets of which the names are not among those that are ``used``."""
    store = feature_store(storage)
    if store.is_symlink() or not store.is_dir():
        return []
    folders = [path for path in sorted(store.iterdir()) if path.is_dir() and not path.is_symlink()]
    return [path for path in folders if is_unused(path.name, used)]


def used_features(storage: Path, runs: Iterable[RunFolder]) -> set[str]:
    """Return the names of the sets that the runs ask for.

    Raises:
        RaysearchError: a run does not say which sets it asks for, so any may be its own.
    """
    return {name for run in runs for name in _used(run.spec(), feature_store(storage))}


def is_unused(name: str, used: Set[str]) -> bool:
    """Whether it is the name of a set, and none of those that are ``used``."""
    return _SET.fullmatch(name) is not None and name not in used


def _used(spec: SearchSpec, store: Path) -> set[str]:
    """The names of the sets of a search, and of the corpora that it learned from before."""
    wanted = [(spec.corpus.name, *item) for item in WantedFeatures.of_search(spec).streams()]
    if spec.pretrain.on is not None:
        of_own = WantedFeatures.of_trial(spec.base).streams()
        wanted += [(spec.pretrain.on, *item) for item in of_own]
    return {
        Path(feature_source(store, corpus, stream, config).folder).name
        for corpus, stream, config, _ in wanted
    }
