"""``best/``: the winner by validation, with everything that is needed to use it."""

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.training.state import BEST
from raysearch.trials import TrialRecord, Trials

__all__ = ["write_best"]

WEIGHTS = "weights.safetensors"
_LICENCES = {
    "ravdess": "RAVDESS: CC BY-NC-SA 4.0; models trained on it are for non-commercial use.",
    "emodb": "EMO-DB: CC0.",
    "crema_d": "CREMA-D: Open Database License.",
    "tess": "TESS: CC BY-NC-ND 4.0; for non-commercial use.",
    "emovo": "EMOVO: for research, by signed request.",
    "iemocap": "IEMOCAP: for research, by signed request.",
    "savee": "SAVEE: for research, by registration.",
    "demo": "Demo corpus: synthesised by espeak-ng; a caricature, of no use on real speech.",
}


def write_best(
    run: RunFolder,
    spec: SearchSpec,
    trials: Trials,
    labels: Sequence[str],
    facts: Mapping[str, Any],
) -> Path | None:
    """Put the best trial that has weights into ``best/``, whole or not at all.

    Args:
        run: the run.
        spec: its settings.
        trials: its ledger.
        labels: class names in the order of the logits.
        facts: lines for the model card, such as the speakers of each side.

    Returns:
        The folder, or ``None`` if no trial has published weights yet.
    """
    for record in trials.ranked():
        weights = run.root / record.checkpoint[0] / BEST if record.checkpoint else None
        if weights is not None and weights.is_file():
            break
    else:
        return None
    staged = run.root / f".best.{uuid.uuid4().hex}.tmp"
    staged.mkdir()
    try:
        _fill(staged, spec, record, weights, labels, facts)
        former = run.root / f".best.{uuid.uuid4().hex}.old"
        if run.best.exists():
            run.best.rename(former)
        staged.rename(run.best)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return run.best


def _fill(
    folder: Path,
    spec: SearchSpec,
    record: TrialRecord,
    weights: Path,
    labels: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    config = spec.resolve(record.config).to_dict()
    assert record.best_epoch is not None
    best = record.epochs[record.best_epoch]
    metrics = {
        "number": record.number,
        "trial": record.trial,
        "status": record.status,
        "best_epoch": record.best_epoch,
        "validation": dict(best.metrics),
    }
    shutil.copyfile(weights, folder / WEIGHTS)
    for name, content in {
        "config.json": config,
        "features.json": config["features"],
        "labels.json": list(labels),
        "metrics.json": metrics,
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    card = _card(spec, record, labels, facts)
    (folder / "model_card.md").write_text(card, encoding="utf-8")


def _card(
    spec: SearchSpec, record: TrialRecord, labels: Sequence[str], facts: Mapping[str, Any]
) -> str:
    assert record.best_epoch is not None
    best = record.epochs[record.best_epoch]
    metrics = best.metrics
    figures = ", ".join(
        f"{name} {100 * (metrics.get(key) or 0):.1f}%"
        for key, name in {"val_uar": "UA", "val_wa": "WA", "val_macro_f1": "macro-F1"}.items()
    )
    settings = "\n".join(f"| {key} | {value} |" for key, value in record.config.items())
    lines = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    licence = "\n".join(
        _LICENCES.get(name, f"{name}: see the licence of the corpus.")
        for name in spec.corpus.name.split(",")
    )
    return f"""# {spec.model.name}, trained on {spec.corpus.name}

Predicts one of {len(labels)} emotions ({", ".join(labels)}) from an utterance.
Trial {record.number} ({record.trial}), the best of its search by validation.

## Data

- corpus: {spec.corpus.name}
- protocol: {spec.protocol.name}, fold {spec.protocol.fold}
{lines}

## Figures

Validation, epoch {record.best_epoch} of {record.last_epoch}: {figures}.
These chose the model, so they flatter it. Test figures: `raysearch evaluate`.

## Settings that were searched

| field | value |
|---|---|
{settings}

All settings are in `config.json`.

## Limits

Acted or synthetic emotion is plainer than emotion in life; expect less on other speakers,
languages, rooms and microphones. Not fit for judging people.

## Licence

{licence}
"""
