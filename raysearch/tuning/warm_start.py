"""Settings that did well in an earlier run, tried first in a new one."""

import csv

from raysearch.config.search import WarmStart
from raysearch.errors import ConfigError
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

__all__ = ["warm_start"]

NUM_SETTINGS = 3


def warm_start(earlier: RunFolder, spec: SearchSpec, split: Split) -> WarmStart:
    """The best settings of ``earlier`` that ``spec`` can try.

    Args:
        earlier: a run with trials.
        spec: the new search; of the old settings its searched fields are taken.
        split: the new search's, to say whether the old one has seen its test rows.

    Raises:
        ConfigError: a run of another model, or none of its settings fits the new space.
    """
    old = earlier.spec()
    if old.model.name != spec.model.name:
        raise ConfigError(
            f"--warm-start {earlier.root}: it searched {old.model.name!r},"
            f" and this search is of {spec.model.name!r}"
        )
    found: list[dict[str, bool | int | float | str | None]] = []
    for record in earlier.trials().ranked():
        fields = old.resolve(record.config).fields()
        settings = {name: fields[name] for name in spec.space.fields if name in fields}
        if settings not in found and spec.space.parameters(settings) is not None:
            found.append(settings)
    if not found:
        raise ConfigError(
            f"--warm-start {earlier.root}: none of its settings lies in the space {spec.name!r}"
        )
    return WarmStart(
        origin=earlier.root.name,
        settings=tuple(found[:NUM_SETTINGS]),
        saw_test=_saw_test(earlier, old, split),
    )


def _saw_test(earlier: RunFolder, old: SearchSpec, split: Split) -> bool:
    """Whether a test utterance of ``split`` was one to learn from, or to choose by, before."""
    if not earlier.splits_file.exists() or {row.corpus for row in split.test}.isdisjoint(
        old.corpus.name.split(",")
    ):
        return False
    with earlier.splits_file.open(encoding="utf-8", newline="") as file:
        seen = {row["utterance"] for row in csv.DictReader(file) if row["split"] != "test"}
    return any(row.id in seen for row in split.test)
