"""A searched run, a speaker a fold, whose winner has weights; nothing was trained."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import torch

from raysearch import published_folder
from raysearch.evaluation.arm import NUM_SEEDS, Arm
from raysearch.evaluation.evaluate import best_record
from raysearch.evaluation.final_model import save_final
from raysearch.evaluation.final_stage import single_model
from raysearch.evaluation.predict import prediction_table
from raysearch.ledger import Ledger
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.training import checkpoint
from raysearch.training.trial_state import BEST

NUM_FOLDS, NUM_TAKES = 4, 2
EPOCHS, EPOCH_S = 5, 2.0
RATE = 16_000


def searched_run(
    folder: Path, space: str = "cnn", *, num_folds: int = NUM_FOLDS, **settings: object
) -> RunFolder:
    """The run of ``space`` with dotted ``settings``, its winner the space's own settings."""
    data = {"corpus.name": "manifest", "corpus.data": str(_manifest(folder, num_folds))}
    chosen = {**data, "protocol.folds": "leave_one_speaker_out", "training.epochs": EPOCHS}
    chosen["search.inner_folds"] = 1
    run = RunFolder(folder / "run")
    _search(run, SearchSpec.load(space, list({**chosen, **settings}.items())), "t0", {})
    return run


def search_nested(run: RunFolder, num_folds: int = NUM_FOLDS, **winner: object) -> None:
    """Search inside every other fold; the winner of the last one has the settings ``winner``."""
    spec = run.spec()
    for fold in range(1, num_folds):
        protocol = spec.protocol.model_copy(update={"fold": fold})
        values = winner if fold == num_folds - 1 else {}
        _search(run.nested(fold), replace(spec, protocol=protocol), f"t{fold}", values)
    metric = {"mean": 0.5, "per_seed": [0.5], "interval": None}
    figures = {"mode": "nested", "nested": num_folds, "protocol": spec.protocol.name, "ua": metric}
    (run.root / "evaluation.json").write_text(json.dumps(figures))


def _search(run: RunFolder, spec: SearchSpec, trial: str, config: dict[str, object]) -> None:
    run.open(spec, resume=False)
    path = "checkpoints/0000/epoch-0002-attempt-1"
    ledger, event = Ledger.open(run.ledger_file, 1), {"trial": trial, "number": 0, "attempt": 1}
    ledger.append("started", config=config, slot=0, **event)
    metrics = {"val_uar": 0.5, "val_wa": 0.5, "val_macro_f1": 0.5, "val_uar_mean3": 0.5}
    for epoch in (1, 2):
        ledger.append("epoch", epoch=epoch, metrics=metrics, train_s=EPOCH_S, slot=0, **event)
    ledger.append("checkpoint", path=path, epoch=2, slot=0, **event)
    ledger.append("completed", slot=0, **event)
    ledger.close()
    run.add_session(0.0, 1, {})
    run.end_session("finished")
    train(run.root / path)
    save_final(run, single_model(run, spec, best_record(run)))


def train(folder: Path) -> None:
    """Publish weights in ``folder``, as a training does at its end."""
    tensors = {"weight": torch.zeros(1)}
    published_folder.publish(folder, lambda stage: checkpoint.save_tensors(stage / BEST, tensors))


def predictions(arm: Arm, right: float) -> pa.Table:
    """What three seeds might say of the test rows, of which a share is about ``right``."""
    rows, labels = arm.audited.split.test, arm.audited.split.labels
    tables = []
    for seed in range(NUM_SEEDS):
        draws = np.random.default_rng((seed, arm.spec.protocol.fold))
        hits = draws.uniform(size=len(rows)) < right
        own = [labels.index(row.emotion) for row in rows]
        said = [k if hit else (k + 1) % len(labels) for k, hit in zip(own, hits, strict=True)]
        probs_NK = np.full((len(rows), len(labels)), 0.1)
        probs_NK[np.arange(len(rows)), said] = 0.9
        tables.append(prediction_table(rows, probs_NK, labels, arm.spec.protocol.fold, seed))
    return pa.concat_tables(tables)


def _manifest(folder: Path, num_speakers: int) -> Path:
    draws, lines = np.random.default_rng(0), ["path,speaker,emotion"]
    for speaker in range(num_speakers):
        for take, emotion in product(range(NUM_TAKES), ("joy", "anger")):
            name = f"{speaker}-{take}-{emotion}.wav"
            soundfile.write(folder / name, draws.uniform(-0.1, 0.1, RATE // 10), RATE)
            lines.append(f"{name},{speaker},{emotion}")
    (folder / "m.csv").write_text("\n".join(lines))
    return folder / "m.csv"
