"""Settings that did well in an earlier run, tried first in a new one."""

import csv

from raysearch.config.search import WarmStart
from raysearch.errors import ConfigError
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

__all__ = ["warm_start"]

NUM_SETTINGS = 3
# Corpora whose utterances are named by their publisher, whatever folder they are in.
OWN_IDS = frozenset({"crema_d", "demo", "emodb", "emovo", "iemocap", "ravdess", "savee", "tess"})


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
        saw_test=_saw_test(earlier, old, spec, split),
    )


def _saw_test(earlier: RunFolder, old: SearchSpec, spec: SearchSpec, split: Split) -> bool:
    """Whether a test utterance of ``split`` may have been learned from, or chosen by, before.

    What cannot be seen counts as seen: a run without its splits, or a table of the user's own in
    which the same recording may have another name.
    """
    same = (old.corpus.name, old.corpus.data) == (spec.corpus.name, spec.corpus.data)
    before = [name for name, _ in old.corpus.members]
    pairs = {(row.corpus, name) for row in split.test for name in before}
    if all(_apart(*pair) for pair in pairs):
        return False
    sides = _sides(earlier)
    if not sides or not (same or all(_apart(*pair) or _comparable(*pair) for pair in pairs)):
        return True
    if not same:
        only = before[0] if len(before) == 1 else ""
        sides = {_full(only, name): side for name, side in sides.items()}
    tested = [sides.get(row.id if same else _full(row.corpus, row.id)) for row in split.test]
    if (inherited := old.search.warm_start) is not None:
        # The run before that one is known to be innocent of that one's test rows alone.
        return inherited.saw_test or any(side != "test" for side in tested)
    return any(side not in (None, "test") for side in tested)


def _apart(corpus: str, other: str) -> bool:
    """Whether two corpora are known to share no recording."""
    return corpus != other and {corpus, other} <= OWN_IDS


def _comparable(corpus: str, other: str) -> bool:
    """Whether a recording has the same id in both."""
    return corpus == other and corpus in OWN_IDS


def _full(corpus: str, name: str) -> str:
    """An utterance's id as it is among several corpora."""
    return name if not corpus or name.startswith(f"{corpus}/") else f"{corpus}/{name}"


def _sides(run: RunFolder) -> dict[str, str]:
    """Utterance to the side on which ``run`` had it; empty if that cannot be seen."""
    try:
        with run.splits_file.open(encoding="utf-8", newline="") as file:
            return {row["utterance"]: row["split"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, csv.Error):
        return {}
