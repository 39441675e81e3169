"""Systems compared in pairs on the same test utterances, speaker by speaker.

A difference is shown by a paired t-test over folds, Holm-corrected over all pairs made together.
Without one the pair is a tie only if the 90% interval of the difference lies within +-2 UA points,
else it is not distinguished. With too few speakers or folds it cannot be tested. Where one model of
each system tested all speakers, what is found holds for these two models alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import pyarrow as pa

from raysearch.errors import UserError
from raysearch.evaluation import statistics
from raysearch.evaluation.claims import claim, points
from raysearch.evaluation.figures import ComparedFigures
from raysearch.evaluation.statistics import Comparison, Floats, Measure
from raysearch.evaluation.units import folds_of_speakers
from raysearch.training.validation_metrics import confusion_metrics

__all__ = ["Compared", "compare", "compare_all"]


@dataclass(frozen=True)
class Compared:
    """The comparison of one pair of systems.

    Attributes:
        first: a system's name.
        second: the name of the system that it is compared with.
        comparison: first minus second; the verdict is that of the first.
        speakers: each speaker's own value, first minus second.
        label: of the metric.
    """

    first: str
    second: str
    comparison: Comparison
    speakers: Mapping[str, float]
    label: str = "UA"

    def sentence(self) -> str:
        """What may be claimed, in one sentence."""
        values = sorted(self.speakers.values())
        each = f", a speaker {points(values[0])} to {points(values[-1])}"
        return claim(self.first, self.second, self.comparison, label=self.label, untested=each)

    def to_dict(self) -> ComparedFigures:
        """Plain data for JSON."""
        found = {
            "first": self.first,
            "second": self.second,
            **asdict(self.comparison),
            "per_speaker_ua_difference": dict(self.speakers),
            "sentence": self.sentence(),
        }
        return cast("ComparedFigures", found)


def compare(
    first: pa.Table, second: pa.Table, *, names: tuple[str, str] = ("first", "second")
) -> Compared:
    """Compare one pair of prediction tables; see ``compare_all``."""
    return compare_all({names[0]: first, names[1]: second}, [names])[0]


def compare_all(
    tables: Mapping[str, pa.Table],
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    metric: str = "ua",
) -> list[Compared]:
    """Compare systems in pairs, all corrected together.

    Args:
        tables: name to predictions as ``predictions.parquet`` has them: utterance, corpus,
            speaker, fold, seed, emotion, predicted; seeds are averaged.
        pairs: names of the pairs; by default each later system against the first.
        metric: its key in ``evaluation.json``.

    Raises:
        UserError: two systems were not tested on the same utterances, labels and folds.
    """
    names = list(tables)
    wanted = pairs if pairs is not None else [(name, names[0]) for name in names[1:]]
    facts = {name: _facts(name, table) for name, table in tables.items()}
    for first, second in wanted:
        _check_same(first, facts[first], second, facts[second])
    labels = sorted(
        {one for table in tables.values() for one in table["emotion"].to_pylist()}
        | {one for table in tables.values() for one in table["predicted"].to_pylist()}
    )
    systems = {name: _confusions(table, labels) for name, table in tables.items()}
    measure, label = statistics.METRICS[metric], confusion_metrics()[metric].label
    found = statistics.compare(
        {str(n): (systems[a][1], systems[b][1]) for n, (a, b) in enumerate(wanted)},
        measure,
        folds={str(n): _folds(tables[a], systems[a][0]) for n, (a, _) in enumerate(wanted)},
    )
    return [
        Compared(a, b, found[str(n)], _speaker_gaps(systems[a], systems[b], measure), label)
        for n, (a, b) in enumerate(wanted)
    ]


# Utterance to its fold, true emotion and speaker.
_Facts = dict[tuple[str, str], tuple[int, str, str]]
_WORDS = ("fold", "emotion", "speaker")


def _facts(name: str, table: pa.Table) -> _Facts:
    """What two systems must have in common; each seed must have scored every utterance once."""
    columns = ("corpus", "utterance", "seed", *_WORDS)
    lacking = [column for column in columns if column not in table.column_names]
    if lacking or not table.num_rows:
        raise UserError(f"{name}: predictions without {', '.join(lacking) or 'rows'}")
    rows = list(zip(*(table[column].to_pylist() for column in columns), strict=True))
    facts = {(corpus, utterance): rest for corpus, utterance, _, *rest in rows}
    seeds = {row[2] for row in rows}
    if not len({row[:3] for row in rows}) == len(rows) == len(facts) * len(seeds):
        raise UserError(f"{name}: not every seed scored every test utterance once; evaluate anew")
    return {key: (rest[0], rest[1], rest[2]) for key, rest in facts.items()}


def _check_same(first: str, first_facts: _Facts, second: str, second_facts: _Facts) -> None:
    only = [sorted(a.keys() - b.keys()) for a, b in _both_ways(first_facts, second_facts)]
    if any(only):
        counts = " and ".join(
            f"{len(keys)} only in {name} (as {'/'.join(keys[0])})"
            for name, keys in zip((first, second), only, strict=True)
            if keys
        )
        raise UserError(
            f"{first} and {second} were not tested on the same utterances: {counts}: "
            "compare runs of the same corpus, protocol and folds"
        )
    for key in sorted(first_facts):
        for word, one, other in zip(_WORDS, first_facts[key], second_facts[key], strict=True):
            if one != other:
                raise UserError(
                    f"{first} and {second} differ in the {word} of {'/'.join(key)}: {one!r} and "
                    f"{other!r}: compare runs of the same corpus, labels and folds"
                )


def _both_ways(first: _Facts, second: _Facts) -> list[tuple[_Facts, _Facts]]:
    return [(first, second), (second, first)]


def _confusions(table: pa.Table, labels: Sequence[str]) -> tuple[list[str], Floats]:
    """Speakers, and their confusions (S, K, K), mean over seeds."""
    index = {label: number for number, label in enumerate(labels)}
    names, total_SKK = statistics.speaker_confusions(
        _speakers(table),
        [index[label] for label in table["emotion"].to_pylist()],
        [index[label] for label in table["predicted"].to_pylist()],
        len(labels),
    )
    return names, total_SKK / len(set(table["seed"].to_pylist()))


def _speakers(table: pa.Table) -> list[str]:
    """Each row's speaker, told from those of other corpora."""
    pairs = zip(table["corpus"].to_pylist(), table["speaker"].to_pylist(), strict=True)
    return [f"{corpus}/{speaker.removeprefix(f'{corpus}/')}" for corpus, speaker in pairs]


def _folds(table: pa.Table, names: Sequence[str]) -> list[int]:
    return folds_of_speakers(names, _speakers(table), table["fold"].to_pylist())


def _speaker_gaps(
    first: tuple[list[str], Floats], second: tuple[list[str], Floats], metric: Measure
) -> dict[str, float]:
    gaps_S = metric(first[1]) - metric(second[1])
    return {name: float(gap) for name, gap in zip(first[0], gaps_S, strict=True)}
