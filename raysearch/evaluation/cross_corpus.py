"""Each run's winner on other corpora: does it carry over to other recordings?

Labels go through the committed map on both sides; the classes that both have are scored, and a
winner chooses among these alone. Features of the target are normalised as in training: by each
clip, by the training rows' statistics, or, which is transductive, by those of each of the target's
speakers; transductive and inductive winners do not share a matrix. The diagonal is a run's own test
figure, of speakers it never met. Each fold of a corpus has a model, and all of these score the
whole of another corpus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.corpora.utterance import Utterance
from raysearch.errors import UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.crossing import Crossing, among, crossings
from raysearch.evaluation.evaluate import best_record
from raysearch.evaluation.figures import Figures, Where
from raysearch.evaluation.outlay import outlay_of
from raysearch.evaluation.predict import (
    mean_probabilities,
    pooled,
    prediction_table,
    row_table,
    used_streams,
)
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.transductive_notes import check_alike, transductive_notes
from raysearch.evaluation.winner_folds import (
    fold_notes,
    folds_asked,
    scored_arms,
    where_of,
)
from raysearch.prerequisites import set_name
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.storage.corpora import read_corpus
from raysearch.storage.held_storage import held_storage
from raysearch.streaming.rated_rows import refuse_dimensions
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.store import feature_store
from raysearch.training.transductive import is_transductive
from raysearch.tuning.start_record import learned_by
from raysearch.tuning.tuner import Watcher

__all__ = [
    "Matrix",
    "Plan",
    "outlay_lines",
    "plan_matrix",
    "score_matrix",
    "train_winners",
]

Matrix = dict[str, dict[str, Figures]]


@dataclass(frozen=True)
class Plan:
    """All pairs of a training and a target corpus that are scored.

    Attributes:
        arms: training corpus to the run's model, one arm a fold.
        own: training corpus to the run's own test figures.
        crossings: (training corpus, target corpus) to what each of those arms is scored on.
    """

    arms: Mapping[str, Sequence[Arm]]
    own: Mapping[str, Figures]
    crossings: Mapping[tuple[str, str], Sequence[Crossing]]


def plan_matrix(
    runs: Sequence[RunFolder],
    targets: Sequence[CorpusConfig],
    storage: Path,
    folds: str | None = None,
) -> Plan:
    """Read the corpora and settle who is scored on what; no Ray is needed.

    Args:
        runs: searched runs; each one's corpus is a target of the others.
        targets: further corpora, which nothing was trained on.
        storage: where the demo corpus is kept.
        folds: the outer folds of each run whose models are scored, as ``--folds`` names them.

    Returns:
        The pairs; ``own`` is empty until ``train_winners`` fills it.

    Raises:
        UserError: fewer than two corpora, one of them twice, a run that has no winner or no such
            fold, or transductive winners beside inductive ones.
        DataError: two corpora share fewer than two classes, or a label has no common class.
        LeakError: a target holds recordings that a winner has learned from.
    """
    if len(runs) + len(targets) < 2:
        raise UserError("one run is no matrix: name another RUN, or --target CORPUS=PATH")
    for run in runs:
        refuse_dimensions(run.spec(), f"cross-corpus of {run.root}")
    # A target's labels are the true ones, though a run of its own shuffled them.
    true = [run.spec().corpus.model_copy(update={"shuffle_labels": False}) for run in runs]
    names = _names([*true, *targets])
    of_run = dict(zip(names, runs, strict=False))  # the targets come after them
    arms = {
        name: scored_arms(run, folds_asked(run, folds), RunSplits(run, storage))
        for name, run in of_run.items()
    }
    check_alike({name: is_transductive(found[0].config) for name, found in arms.items()})
    named = zip(names, [*true, *targets], strict=True)
    corpora = {name: read_corpus(config, storage) for name, config in named}
    started = {name: learned_by(run) for name, run in of_run.items()}
    heard = {name: found[1].hashes for name, found in started.items() if found}
    pairs = {
        (source, target): crossings(source, found, target, corpus, heard.get(source, frozenset()))
        for source, found in arms.items()
        for target, corpus in corpora.items()
        if target != source
    }
    return Plan(arms, {}, pairs)


def outlay_lines(plan: Plan, runs: Sequence[RunFolder]) -> list[str]:
    """What ``train_winners`` will train, a line a training corpus.

    Args:
        plan: of ``runs``, in their order.
        runs: what was searched.
    """
    return [
        f"{source}: {outlay_of(arms, best_record(run)).line()}"
        for (source, arms), run in zip(plan.arms.items(), runs, strict=True)
    ]


def train_winners(
    plan: Plan,
    runs: Sequence[RunFolder],
    leases: Sequence[Lease],
    session: ClusterSession,
    storage: Path,
    watcher: Watcher,
) -> Plan:
    """Train what is missing of the winners in their folds, and score them on their own test rows.

    Args:
        plan: of ``runs``, in their order.
        runs: what was searched.
        leases: of their folders.
        session: the connected Ray.
        storage: where features are kept.
        watcher: who is told.

    Raises:
        TrialError: a training failed.
    """
    arms, own = {}, {}
    for (source, planned), run, lease in zip(plan.arms.items(), runs, leases, strict=True):
        ready, results = run_arms(
            planned,
            run.spec(),
            run,
            lease,
            session,
            line=lambda times: f"training: {times}",
            storage=storage,
            watcher=watcher,
        )
        arms[source] = ready
        own[source] = score(
            pooled([table for table, _ in results]),
            protocol=planned[0].spec.protocol.name,
            where=where_of(planned),
            notes=fold_notes(run, ready, ready, results, final=True),
        )
    return replace(plan, arms=arms, own=own)


def _names(configs: Sequence[CorpusConfig]) -> list[str]:
    """What each corpus is called: its name, and its data where a name occurs twice."""
    names = [config.name for config in configs]
    unique = [
        name if names.count(name) == 1 else f"{name} {Path(config.data or '').name}"
        for name, config in zip(names, configs, strict=True)
    ]
    for name in unique:
        if unique.count(name) > 1:
            raise UserError(f"the corpus {name!r} is named twice: a matrix has each corpus once")
    return unique


def score_matrix(plan: Plan, storage: Path, watcher: Watcher) -> Matrix:
    """Training corpus, then target corpus, to the figures of ``score``.

    Args:
        plan: who is scored on what.
        storage: where features are kept.
        watcher: who is told.
    """
    matrix: Matrix = {source: {source: own} for source, own in plan.own.items()}
    # No run's settings ask for the targets' features.
    with held_storage(storage):
        for source, arms in plan.arms.items():
            ready = [arm.prepared(storage) for arm in arms]
            for (asked, target), scored in plan.crossings.items():
                if asked == source:
                    watcher.say(f"{source} -> {target}")
                    matrix[source][target] = _score(ready, scored, storage, watcher)
    return matrix


def _score(
    arms: Sequence[Arm], scored: Sequence[Crossing], storage: Path, watcher: Watcher
) -> Figures:
    """The target's rows by the model of every fold, whose trainings are averaged as seeds are.

    None has met a speaker of the target, so each scores all rows. A model that is scored as it is
    stands for as many trainings as the others have.
    """
    parts: list[pa.Table] = []
    num_unusable = 0
    most = max(len(arm.variants()) for arm in arms)
    for arm, one in zip(arms, scored, strict=True):
        usable, num_unusable = _features(arm, one.rows, storage, watcher)
        assert arm.bank is not None
        rows = row_table(usable)
        variants = [mean_probabilities(nets, arm.bank, rows) for nets in arm.variants()]
        for seed in range(most):
            probs_NK = among(variants[seed % len(variants)], one.columns)
            parts.append(prediction_table(usable, probs_NK, one.classes, 0, len(parts)))
    config, table = arms[0].config, pa.concat_tables(parts)
    notes = [f"classes of both corpora: {', '.join(scored[0].classes)}"]
    if len(arms) > 1:
        notes.append(f"by the models of {len(arms)} folds of the training corpus, averaged")
    notes += [f"{num_unusable} utterance(s) unusable"] if num_unusable else []
    notes += transductive_notes(config, [table])
    where: Where = {"transductive": is_transductive(config)}
    return score(table, protocol="cross-corpus", where=where, notes=notes)


def _features(
    arm: Arm, rows: Sequence[Utterance], storage: Path, watcher: Watcher
) -> tuple[list[Utterance], int]:
    """Usable rows, and how many are unusable.

    They are kept in the training corpus' store, beside the rows whose statistics normalise them.
    """
    unusable: set[str] = set()
    streams = used_streams(arm)
    for stream, config in streams:
        name = set_name(stream, config, streams, "target features")
        found = ensure_features(
            rows,
            stream,
            config,
            feature_store(storage),
            corpus=arm.spec.corpus.name,
            on_progress=partial(watcher.progress, name),
            max_quarantined=arm.spec.corpus.max_quarantined,
        )
        unusable |= set(found.quarantined)
    return [row for row in rows if row.id not in unusable], len(unusable)
