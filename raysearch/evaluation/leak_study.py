"""How much of a published figure is leakage: one system, four ways to split.

The 1D-CNN of arXiv 2507.03251 is tested on rows that are augmented siblings of its training rows:
files were expanded first and split after, and the test rows chose the epoch. Four arms learn from
equally many rows in equally many steps, in every fold, and are scored on every clean original once,
arm A on all of its test rows, too. A - B is what siblings and that choice give, B - C what sharing
speakers gives, and nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pyarrow as pa

from raysearch.corpora.utterance import Corpus
from raysearch.errors import UserError
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.experiment_figures import ArmFigures, LeakStudy
from raysearch.evaluation.figures import ComparedFigures, Figures
from raysearch.evaluation.leak_arms import arms_of
from raysearch.evaluation.markdown import interval_in_words, markdown_table, percent
from raysearch.evaluation.reproduced_steps import refolded, rows_of
from raysearch.evaluation.row_arms import RowArm, run_row_arms
from raysearch.evaluation.scores import score
from raysearch.files import write_json, write_text
from raysearch.published_folder import load_json
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec, published_values
from raysearch.streaming.rated_rows import refuse_dimensions
from raysearch.streaming.votes_in_use import refuse_votes
from raysearch.training.transductive import refuse_transductive
from raysearch.trial_config import TrialConfig
from raysearch.tuning.tuner import Watcher

__all__ = ["CELLS", "MEANINGS", "check_spec", "leak_study", "sentence", "stored_study"]

# Four rows a file, as the paper has of EMO-DB: its noise, its shift, and white noise beside them.
CELLS = ("noise:paper", "pitch:0.7", "noise:20")
HONEST = "C"
MEANINGS = {
    "A": "expand, then split at random, test chooses the epoch",
    "B": "split at random, then expand train",
    HONEST: "split by speaker, then expand train",
    "D": "as B, labels shuffled",
}


def check_spec(spec: SearchSpec) -> None:
    """Raise UserError for settings under which no arm would be honest."""
    if spec.protocol.name == "paper":
        raise UserError("leak-study splits at random itself, beside --protocol: not paper again")
    if spec.corpus.shuffle_labels:
        raise UserError("leak-study shuffles labels itself, in arm D: not corpus.shuffle_labels")
    # Two of its arms have speakers on both sides: whose statistics those are would be a fifth.
    refuse_transductive(spec, "leak-study")
    refuse_votes(spec, "leak-study")
    refuse_dimensions(spec, "leak-study")


def stored_study(run: RunFolder, num_seeds: int) -> LeakStudy | None:
    """What was found before, over all folds, with as many seeds; None if nothing was."""
    path = run.root / "leak_study.json"
    found = load_json(path) if path.exists() else {}
    return cast("LeakStudy", found) if found.get("seeds") == num_seeds else None


def leak_study(
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    corpus: Corpus,
    session: ClusterSession,
    *,
    cells: Sequence[str] = CELLS,
    num_seeds: int = 1,
    storage: Path,
    watcher: Watcher,
) -> LeakStudy:
    """Train each arm in every fold at the published settings, and score it.

    Args:
        spec: the system; its published settings are used, else those of its sections.
        run: the study's folder; what was trained before is not trained again.
        lease: of the folder.
        corpus: the recordings.
        session: the connected Ray.
        cells: what a file is expanded by.
        num_seeds: nets of each arm and fold.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        ``arms``: name to figures; ``siblings`` and ``speakers``: A - B and B - C in UA, and how
        each is tested. It lies in ``leak_study.json``, and for readers in ``leak_study.md``.

    Raises:
        UserError: the random or the shuffled side is asked for as the honest one.
    """
    check_spec(spec)
    # The arms expand the rows themselves.
    config = spec.resolve({**published_values(spec), "waveform_augment.cells": "none"})
    folds = arms_of(spec, corpus, cells)
    tables = run_row_arms(
        [RowArm(name, tuple(each), config) for name, each in folds.items()],
        spec,
        corpus,
        run,
        lease,
        session,
        num_seeds=num_seeds,
        storage=storage,
        watcher=watcher,
    )
    fold_of = {row.utterance.id: fold.number for fold in folds[HONEST] for row in fold.test}
    study = _study(spec, config, tables, fold_of, cells, num_seeds, len(folds["A"][0].train))
    write_json(run.root / "leak_study.json", study)
    write_text(run.root / "leak_study.md", _markdown(study))
    return study


def _study(
    spec: SearchSpec,
    config: TrialConfig,
    tables: Mapping[str, pa.Table],
    fold_of: Mapping[str, int],
    cells: Sequence[str],
    num_seeds: int,
    num_rows: int,
) -> LeakStudy:
    compared = _compared({name: refolded(table, fold_of) for name, table in tables.items()})
    return {
        "space": spec.name,
        "corpus": spec.corpus.name,
        "protocol": spec.protocol.name,
        "folds": len(set(fold_of.values())),
        "seeds": num_seeds,
        "cells": list(cells),
        "num_train_rows": num_rows,
        "epochs": config.training.epochs,
        "arms": {name: _figures(name, table, fold_of) for name, table in tables.items()},
        "siblings": compared["siblings"]["difference"],
        "speakers": compared["speakers"]["difference"],
        "compared": compared,
    }


def _compared(tables: Mapping[str, pa.Table]) -> dict[str, ComparedFigures]:
    """A - B and B - C, over the folds of C, whose speakers share no model there."""
    siblings, speakers = compare_all(tables, [("A", "B"), ("B", HONEST)])
    return {"siblings": siblings.to_dict(), "speakers": speakers.to_dict()}


def _figures(name: str, table: pa.Table, fold_of: Mapping[str, int]) -> ArmFigures:
    def scored(rows: pa.Table) -> Figures:
        notes = [] if name == HONEST else ["invalid: this arm leaks, or its labels are shuffled"]
        return score(rows, protocol=f"arm {name}", where={"valid": name == HONEST}, notes=notes)

    figures = cast("ArmFigures", scored(rows_of(table, fold_of.keys())))
    if name == "A":
        figures["augmented_test"] = scored(table)
    return figures


def sentence(study: LeakStudy) -> str:
    """Say in one sentence what the study shows."""
    arms, compared = study["arms"], study["compared"]
    own = percent(arms["A"]["augmented_test"]["ua"]["mean"])
    honest, chance = (percent(arms[name]["ua"]["mean"]) for name in (HONEST, "D"))
    return (
        "Augmented siblings in the test and an epoch that the test chose give "
        f"{_gap(compared['siblings'])} (A - B), sharing speakers {_gap(compared['speakers'])} "
        f"(B - C); scored on all of its test rows, as the paper did, A shows {own} where the "
        f"honest arm C has {honest} and shuffled labels {chance}."
    )


def _gap(found: ComparedFigures) -> str:
    points = f"{100 * found['difference']:+.1f} UA points"
    bounds = found["interval"]
    if bounds is None:
        return f"{points}, which cannot be tested: {found.get('lack')}"
    low, high = (100 * float(bounds[end]) for end in ("low", "high"))
    return f"{points} [{low:+.1f}, {high:+.1f}: 90% interval]"


def _markdown(study: LeakStudy) -> str:
    rows = []
    for name, figures in study["arms"].items():
        span = interval_in_words(figures["ua"]["interval"])
        size = f"{figures['num_speakers']} speakers"
        verdict = "honest" if figures["valid"] else "chance" if name == "D" else "invalid"
        ua = percent(figures["ua"]["mean"])
        rows.append((name, MEANINGS[name], ua, span, size, verdict))
    lines = [
        f"# Leak study: {study['space']} on {study['corpus']}",
        "",
        f"{study['num_train_rows']} training rows in each arm and fold, {study['epochs']} epochs, "
        f"{study['seeds']} net(s) a fold, cells {', '.join(study['cells'])}; C are the "
        f"{study['folds']} folds of {study['protocol']}. Every arm is tested once on every clean "
        "original.",
        "",
        *markdown_table(("arm", "", "UA", "95% interval", "tested on", ""), rows),
        "",
        sentence(study),
        "",
        *(f"- {found['sentence']}" for found in study["compared"].values()),
    ]
    return "\n".join(lines) + "\n"
