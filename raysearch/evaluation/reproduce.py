"""A paper's figure made again: what of it is protocol, what budget, what settings.

The published settings are trained as published, under the paper's own split and under an honest
one; a search's winner beside them, under both. Every recording is tested once in each arm, so that
differences are of the same recordings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.config.published import PublishedResult
from raysearch.errors import UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.evaluate import best_record, is_over, other_specs
from raysearch.evaluation.experiment_figures import Printed, ReproducedArm, Reproduction
from raysearch.evaluation.figures import Figures, Where
from raysearch.evaluation.reproduced_steps import (
    METRIC_OF,
    refolded,
    rows_of,
    steps_between,
    why_not_printed,
)
from raysearch.evaluation.reproduction_plan import Plan, Winner
from raysearch.evaluation.reproduction_text import reproduction_markdown
from raysearch.evaluation.row_arms import run_row_arms
from raysearch.evaluation.scores import score
from raysearch.files import write_json, write_text
from raysearch.published_folder import load_json
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.streaming.rated_rows import refuse_dimensions
from raysearch.streaming.votes_in_use import refuse_votes
from raysearch.training.transductive import refuse_transductive
from raysearch.tuning.tuner import Watcher

__all__ = ["asked_of", "check_spec", "reproduce", "stored_reproduction", "winner_of"]

FILE = "reproduction.json"


def check_spec(spec: SearchSpec) -> None:
    """Raise UserError for settings under which no arm would be honest, or none as published."""
    if spec.protocol.name == "paper":
        raise UserError("reproduce splits as the paper did beside --protocol: give an honest one")
    if spec.corpus.shuffle_labels:
        raise UserError("reproduce of shuffled labels shows nothing: not corpus.shuffle_labels")
    if spec.pretrain.wanted:
        raise UserError("what reproduce trains starts from nothing: leave pretrain out")
    # A random split has speakers on both sides: whose statistics those are would be one more step.
    refuse_transductive(spec, "reproduce")
    refuse_votes(spec, "reproduce")
    refuse_dimensions(spec, "reproduce")


def winner_of(run: RunFolder, audited: AuditedSplit) -> Winner:
    """The best settings of a search, and those of its nested searches if all of them are there.

    Args:
        run: the search.
        audited: its corpus, divided.

    Raises:
        UserError: it has no winner, or settings that no honest arm can have.
    """
    spec, record = run.spec(), best_record(run)
    check_spec(spec)
    config = spec.resolve(record.config)
    own = Arm(spec, audited, config, record.trial, run.root)
    of_fold = {spec.protocol.fold: config}
    for other in other_specs(spec, own):
        inner = run.nested(other.protocol.fold)
        if not is_over(inner, other):
            return Winner(config, record.trial, run.root.name)
        of_fold[other.protocol.fold] = other.resolve(best_record(inner).config)
    return Winner(config, record.trial, run.root.name, of_fold)


def asked_of(plan: Plan) -> dict[str, object]:
    """What a stored reproduction must have been asked for to be this one's."""
    return {
        "epochs": plan.epochs.published,
        "shared_epochs": plan.epochs.shared,
        "seeds": plan.num_seeds,
        "run": plan.winner.run,
        "trial": plan.winner.trial,
        "nested": bool(plan.winner.of_fold),
    }


def stored_reproduction(run: RunFolder, plan: Plan) -> Reproduction | None:
    """What was found before; None if nothing was, or something else was asked for."""
    path = run.root / FILE
    found = load_json(path) if path.exists() else {}
    return cast("Reproduction", found) if found.get("asked") == asked_of(plan) else None


def reproduce(
    plan: Plan,
    run: RunFolder,
    lease: Lease,
    session: ClusterSession,
    *,
    storage: Path,
    watcher: Watcher,
) -> Reproduction:
    """Train what is missing of the plan's arms, score all of them, and write what was found.

    Args:
        plan: the arms.
        run: the folder; what was trained before is not trained again.
        lease: of that folder.
        session: the connected Ray.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        The content of ``reproduction.json``; for readers it is in ``reproduction.md``.
    """
    tables = run_row_arms(
        list(plan.arms.values()),
        plan.spec,
        plan.corpus,
        run,
        lease,
        session,
        num_seeds=plan.num_seeds,
        storage=storage,
        watcher=watcher,
    )
    for name, table in tables.items():
        pq.write_table(table.drop_columns(["sex"]), run.root / "arms" / f"{name}.parquet")
    found = reproduction_of(plan, tables)
    write_json(run.root / FILE, found)
    write_text(run.root / "reproduction.md", reproduction_markdown(found))
    return found


def reproduction_of(plan: Plan, tables: Mapping[str, pa.Table]) -> Reproduction:
    """What the arms' predictions amount to."""
    published = plan.spec.published
    fold_of = plan.fold_of()
    clean = {name: refolded(table, fold_of) for name, table in tables.items()}
    results = published.results_on(plan.spec.corpus.name)
    result = results[0] if results else None
    metric = METRIC_OF[result.metric] if result else "ua"
    of_paper, labels = tables["published-paper"], plan.corpus.emotions
    with_copies = of_paper if len(of_paper) > len(clean["published-paper"]) else None
    unlike = why_not_printed(result, labels, plan.epochs)
    steps = steps_between(
        clean,
        with_copies,
        metric,
        plan.epochs,
        result.value / 100 if result and not unlike else None,
    )
    arms = {name: _arm(plan, name, rows_of(tables[name], fold_of.keys())) for name in plan.arms}
    if with_copies is not None:
        arms["published-paper"]["with_copies"] = _score(plan, "published-paper", with_copies)
    return {
        "system": plan.spec.name,
        "corpus": plan.spec.corpus.name,
        "paper": f"{published.title}, arXiv {published.arxiv}" if published.arxiv else "",
        "asked": asked_of(plan),
        "metric": metric,
        "printed": [_printed(one, plan.epochs.printed) for one in results],
        "arms": arms,
        "steps": steps,
        "notes": _notes(plan, unlike, result),
    }


def _printed(result: PublishedResult, epochs: int | None) -> Printed:
    return {
        "metric": result.metric,
        "value": result.value / 100,
        "source": result.source,
        "num_classes": result.num_classes,
        "classes_source": result.classes_source,
        "protocol": result.protocol,
        "epochs": epochs,
    }


def _arm(plan: Plan, name: str, table: pa.Table) -> ReproducedArm:
    settings, _, split = name.partition("-")
    epochs = plan.epochs
    words = str(epochs.shared)
    if settings == "published" and split != "short":
        words = epochs.in_words
    elif settings == "published" and epochs.printed:
        words = f"{epochs.shared} of {epochs.printed}"
    found = cast("ReproducedArm", _score(plan, name, table))
    if settings == "published" and not plan.spec.published.settings:
        settings = "the space's"
    found["settings"], found["epochs"] = settings, words
    found["split"] = "the paper's" if split == "paper" else "honest"
    return found


def _score(plan: Plan, name: str, table: pa.Table) -> Figures:
    arm = plan.arms[name]
    is_paper = name.endswith("paper")
    published = plan.spec.published
    where: Where = {"folds": len(arm.folds)}
    notes = [published.protocol_note] if is_paper else []
    if is_paper:
        where["valid"] = published.epoch_from != "test"
    elif name.startswith("winner") and not plan.winner.of_fold:
        notes.append("settings saw these speakers: chosen on one fold, used on the others")
    notes += dict.fromkeys(note for fold in arm.folds for note in fold.notes)
    protocol = "paper" if is_paper else plan.spec.protocol.name
    return score(table, protocol=protocol, where=where, notes=notes)


def _notes(plan: Plan, unlike: str, result: PublishedResult | None) -> list[str]:
    epochs, copies, protocol = plan.epochs, plan.copies, plan.spec.protocol.name
    num_folds = len(plan.arms["published-honest"].folds)
    notes = [
        f"the paper's split: {plan.spec.published.protocol_note}",
        f"the honest one: {protocol}, {num_folds} folds, the epoch chosen by validation speakers",
    ]
    if unlike:
        notes.append(f"not held against print: {unlike}")
    elif result and result.classes_source == "assumed":
        notes.append("the paper does not say how many emotions it tells apart: assumed to be all")
    if not plan.spec.published.settings:
        notes.append("no settings are published: the space's own stand in for them")
    elif assumed := _num_assumed(plan):
        notes.append(
            f"{assumed} of {len(plan.spec.published.settings)} published settings are assumed, as "
            "neither the paper nor its code gives them"
        )
    if not epochs.is_whole:
        notes.append(
            f"the published settings ran {epochs.in_words} epochs here: none of their figures is "
            "what they give, and what the rest would add is not known"
        )
    if epochs.shared < epochs.found:
        notes.append(
            f"the winner ran {epochs.shared} of its {epochs.found} epochs, as many as the "
            "published settings: settings are compared at equal epochs"
        )
    if copies.number > 1:
        notes.append(_copies_note(plan))
    if not plan.winner.of_fold:
        notes.append(
            "settings saw these speakers: the winner was chosen on one fold and is trained on the "
            "others, which flatters it; --nested searches inside each fold"
        )
    notes.append(
        "protocol is tested over the honest folds, whose speakers the paper's nets share: it holds "
        "for these nets"
    )
    return notes


def _copies_note(plan: Plan) -> str:
    copies, expansion = plan.copies, plan.spec.published.expansion
    assert expansion is not None
    made = ", ".join(copies.cells)
    source = expansion.rows_of(plan.spec.corpus.name).source
    return (
        f"the published settings learn from {copies.number} rows a recording ({source}; itself, "
        f"{made}: {expansion.cells_source}), the winner from one, in place of which its own "
        "augmentation may stand"
    )


def _num_assumed(plan: Plan) -> int:
    settings = plan.spec.published.settings.values()
    return sum((one.printed_source or one.source) == "assumed" for one in settings)
