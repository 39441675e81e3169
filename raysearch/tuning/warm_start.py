"""Settings that did well in earlier runs, tried first in a new one."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raysearch.config.distributions import Scalar
from raysearch.config.search import Origin, WarmStart
from raysearch.corpora.corpus_table import corpora_of_fixed_ids
from raysearch.errors import ConfigError
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.tuning.likeness import facts_of_run, facts_of_split, likeness

__all__ = ["run_name", "warm_start"]

NUM_OF_ONE, NUM_IN_ALL = 3, 5

Settings = dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Settings, of which run they were the ``rank``-th best, and their weight."""

    run: str
    rank: int
    weight: float
    settings: Settings


def run_name(place: str | Path) -> str:
    """What the run at ``place`` is called, whether or not it is still there."""
    return Path(place).name or Path(place).resolve().name


def warm_start(runs: Sequence[RunFolder], spec: SearchSpec, split: Split) -> WarmStart:
    """Choose the best settings of earlier ``runs`` that ``spec`` can try.

    Settings are weighed by how like the run's data are to these, divided by their rank in their
    run, so that each run has about as many as its likeness is worth; the greatest weight goes
    first. There are at most three of a run, and five in all.

    Args:
        runs: with trials; of their settings the fields that ``spec`` searches are taken.
        spec: the new search.
        split: the new search's, to say whether an old one has seen its test rows.

    Raises:
        ConfigError: a run is of another model or named twice, or none of its settings fits.
    """
    olds = [_old_spec(run, spec) for run in runs]
    names = [run.root.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"--warm-start: two runs are named {name!r}; give each once")
    here = facts_of_split(split)
    likes = [round(likeness(facts_of_run(run), here), 3) for run in runs]
    found = [
        candidate
        for run, old, like in zip(runs, olds, likes, strict=True)
        for candidate in _candidates(run, old, spec, like)
    ]
    found.sort(key=lambda one: -one.weight)  # stable: of equals the run named first
    chosen = list[_Candidate]()
    for one in found:
        if len(chosen) < NUM_IN_ALL and all(one.settings != other.settings for other in chosen):
            chosen.append(one)
    return WarmStart(
        origins=tuple(Origin(run=n, likeness=like) for n, like in zip(names, likes, strict=True)),
        settings=tuple(one.settings for one in chosen),
        taken=tuple((one.run, one.rank, one.weight) for one in chosen),
        saw_test=any(_saw_test(run, old, spec, split) for run, old in zip(runs, olds, strict=True)),
    )


def _old_spec(run: RunFolder, spec: SearchSpec) -> SearchSpec:
    old = run.spec()
    if old.model.name != spec.model.name:
        raise ConfigError(
            f"--warm-start {run.root}: it searched {old.model.name!r},"
            f" and this search is of {spec.model.name!r}"
        )
    return old


def _candidates(run: RunFolder, old: SearchSpec, spec: SearchSpec, like: float) -> list[_Candidate]:
    """The three best settings of ``run``."""
    found = list[Settings]()
    for record in run.trials().ranked():
        fields = old.resolve(record.config).fields()
        settings = {name: fields[name] for name in spec.space.fields if name in fields}
        if settings not in found and spec.space.parameters(settings) is not None:
            found.append(settings)
    if not found:
        raise ConfigError(
            f"--warm-start {run.root}: none of its settings lies in the space {spec.name!r}"
        )
    return [
        _Candidate(run.root.name, rank, round(like / rank, 3), settings)
        for rank, settings in enumerate(found[:NUM_OF_ONE], start=1)
    ]


def _saw_test(earlier: RunFolder, old: SearchSpec, spec: SearchSpec, split: Split) -> bool:
    """Whether a test utterance of ``split`` may have been learned from, or chosen by, before.

    What cannot be seen counts as seen: a run without its splits, or a table of the user's own in
    which the same recording may have another name.
    """
    same = (old.corpus.name, old.corpus.data) == (spec.corpus.name, spec.corpus.data)
    before = [name for name, _ in old.corpus.members]
    pairs = {(row.corpus, name) for row in split.test for name in before}
    # Its settings may go back to other corpora still: those of its own warm start, or of the
    # weights that it started from.
    inherited = old.search.warm_start
    goes_back = inherited is not None or old.pretrain.wanted
    if not goes_back and all(_apart(*pair) for pair in pairs):
        return False
    sides = _sides(earlier)
    if not sides or not (same or all(_apart(*pair) or _comparable(*pair) for pair in pairs)):
        return True
    if not same:
        only = before[0] if len(before) == 1 else ""
        sides = {_full(only, name): side for name, side in sides.items()}
    tested = [sides.get(row.id if same else _full(row.corpus, row.id)) for row in split.test]
    if goes_back:
        # What came before that run is known to be innocent of that run's test rows alone.
        return bool(inherited and inherited.saw_test) or any(side != "test" for side in tested)
    return any(side not in (None, "test") for side in tested)


def _apart(corpus: str, other: str) -> bool:
    """Whether two corpora are known to share no recording."""
    return corpus != other and {corpus, other} <= corpora_of_fixed_ids()


def _comparable(corpus: str, other: str) -> bool:
    """Whether a recording has the same id in both."""
    return corpus == other and corpus in corpora_of_fixed_ids()


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
