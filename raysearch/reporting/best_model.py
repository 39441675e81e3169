"""``best/``: the final model, with everything that is needed to use it.

``ensemble.json`` names the nets, their settings and their shares, and the files here of pretrained
encoders that they read by the paths in those settings; a search that was cut off before
its final model was made leaves its best trial there.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from raysearch import published_folder
from raysearch.config.metric_table import metric_of
from raysearch.errors import DataError, MissingPathError
from raysearch.evaluation.final_model import FinalModel, Net, load_final
from raysearch.features.ssl_weights import copy_of_weights
from raysearch.files import link_or_copy
from raysearch.protocols.learned import LEARNED_FROM
from raysearch.reporting.model_card import model_card
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.run_storage import fetch_published
from raysearch.training.transductive import is_transductive
from raysearch.training.trial_state import BEST
from raysearch.trial_records import EpochRecord, TrialRecord, Trials

__all__ = ["write_best"]

WEIGHTS = "weights.safetensors"


def write_best(
    run: RunFolder,
    spec: SearchSpec,
    trials: Trials,
    labels: Sequence[str],
    facts: Mapping[str, object],
) -> Path | None:
    """Put the final model into ``best/``, whole or not at all; else the best trial with weights.

    Args:
        run: the run; nobody else writes to it.
        spec: its settings.
        trials: its ledger.
        labels: class names in the order of the logits.
        facts: lines for the model card, such as the speakers of each side.

    Returns:
        The folder, or ``None`` if no trial has published weights yet.
    """
    for left_behind in run.root.glob(f".{run.best.name}.*.tmp"):
        shutil.rmtree(left_behind, ignore_errors=True)
    found = ((*pair, _weights(run, pair[0])) for pair in _candidates(trials))
    winner = next(((r, e, source) for r, e, source in found if source is not None), None)
    if winner is None:
        return None
    record, epoch, source = winner
    first = record is trials.ranked()[0]
    model = load_final(run)
    if model is None or model.winner != record.trial:
        net = Net(record.number, spec.resolve(record.config), source.parent)
        model = FinalModel("single", record.trial, (net,))
    texts = {
        **_texts(spec, record, epoch, labels, model, _encoders(model)),
        "model_card.md": model_card(spec, record, epoch, labels, facts, model, first=first),
    }

    def fill(stage: Path) -> None:
        for net, name in zip(model.nets, _names(model), strict=True):
            shutil.copyfile(net.weights, stage / name)
            if net.inputs.is_file():  # a checkpoint of an earlier version has none
                shutil.copyfile(net.inputs, stage / _inputs(name))
        for weights, name in _encoders(model).items():
            for source, suffix in copy_of_weights(Path(weights)):
                link_or_copy(source, (stage / name).with_suffix(suffix))  # encoders are large
        if (record_of := run.root / LEARNED_FROM).is_file():
            shutil.copyfile(record_of, stage / LEARNED_FROM)
        for name, text in texts.items():
            (stage / name).write_text(text, encoding="utf-8")

    published_folder.publish(run.best, fill)
    return run.best


def _names(model: FinalModel) -> list[str]:
    """The file of each net's weights."""
    if len(model.nets) == 1:
        return [WEIGHTS]
    return [f"net-{number}.safetensors" for number in range(1, 1 + len(model.nets))]


def _inputs(weights: str) -> str:
    return weights.replace(".safetensors", ".inputs.safetensors")


def _encoders(model: FinalModel) -> dict[str, str]:
    """The pretrained encoders' weights that a net reads, and each one's file in ``best/``.

    One that has gone meanwhile is left out: the search must not fail for it at its end.
    """
    streams = [one for net in model.nets for one in net.config.used_features.values()]
    paths = dict.fromkeys(path for one in streams if (path := getattr(one, "weights", None)))
    found = {}
    for number, path in enumerate(paths, start=1):
        with suppress(MissingPathError):
            found[path] = f"encoder-{number}{copy_of_weights(Path(path))[0][1]}"
    return found


def _candidates(trials: Trials) -> list[tuple[TrialRecord, EpochRecord]]:
    """Trials with a checkpoint and the epoch of the best weights in it, best first.

    A trial that was cut off may have reported a better epoch than its last checkpoint holds: it
    is worth what its weights are.
    """
    metric = metric_of(trials.objective)

    def cost(epoch: EpochRecord) -> float:
        value = epoch.metrics.get(trials.objective)
        return math.inf if value is None else -metric.signed(value)

    found = []
    for record in trials.ranked():
        last = record.checkpoint[1] if record.checkpoint else 0
        held = [e for e in record.epochs.values() if e.epoch <= last and cost(e) < math.inf]
        if held:
            found.append((record, min(held, key=lambda e: (cost(e), e.epoch))))
    # Stable: equals stay in the order of their numbers.
    return sorted(found, key=lambda pair: (trials.behind(pair[0]), cost(pair[1])))


def _weights(run: RunFolder, record: TrialRecord) -> Path | None:
    """The best weights of the trial's last checkpoint, if that is whole and undamaged."""
    assert record.checkpoint is not None
    folder = run.root / record.checkpoint[0]
    try:
        published_folder.verify(fetch_published(folder))
    except DataError:
        return None
    return folder / BEST if (folder / BEST).is_file() else None


def _texts(
    spec: SearchSpec,
    record: TrialRecord,
    epoch: EpochRecord,
    labels: Sequence[str],
    model: FinalModel,
    encoders: Mapping[str, str],
) -> dict[str, str]:
    config = spec.resolve(record.config).to_dict()
    metrics = {
        "number": record.number,
        "trial": record.trial,
        "status": record.status,
        "best_epoch": epoch.epoch,
        "transductive": is_transductive(spec),
        "validation": dict(epoch.metrics),
    }
    nets = [
        {
            "weights": name,
            "inputs": _inputs(name),
            "share": net.weight,
            "trial": net.trial,
            "config": net.config.to_dict(),
        }
        for net, name in zip(model.nets, _names(model), strict=True)
    ]
    contents = {
        "ensemble.json": {
            "method": model.method,
            "size": len(nets),
            "reason": model.reason,
            "validation": dict(model.validation),
            "encoders": dict(encoders),
            "nets": nets,
        },
        "config.json": config,
        "features.json": config["features"],
        "labels.json": list(labels),
        "metrics.json": metrics,
    }
    return {name: json.dumps(content, indent=2) + "\n" for name, content in contents.items()}
