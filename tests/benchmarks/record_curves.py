"""Whole learning curves of random settings: what a stop rule can be judged on.

Trains the first trials of a space, its own settings and random draws, to their end; no rule stops
any of them. Ray is not started: one process, one thread, features in memory. Beside each epoch's
metrics the file holds which validation rows the last epoch got right, and whose they are.

    python tests/benchmarks/record_curves.py cnn emodb EMO-DB/ --output curves/emodb-cnn.json
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raysearch.config.identity import canonical_json, seed_from
from raysearch.corpora.corpus_table import load_corpus
from raysearch.errors import NonFiniteLossError
from raysearch.features.audio import read_audio
from raysearch.features.extractor import FeatureConfig
from raysearch.features.extractor_table import build_extractor
from raysearch.protocols.splits import Split, make_split
from raysearch.spec import SearchSpec, TrialConfig, own_values
from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.batches import SplitData
from raysearch.streaming.readers import HostReader
from raysearch.streaming.split_rows import SplitRows, split_rows
from raysearch.streaming.store import feature_source
from raysearch.training.learner import Learner
from raysearch.training.scoring import Scores, score_batches, validation_metrics
from raysearch.tuning.study import Study


def main() -> None:
    """Record the curves that are asked for; the file grows with every trial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space")
    parser.add_argument("corpus")
    parser.add_argument("data")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings = [("corpus.name", arguments.corpus), ("corpus.data", arguments.data)]
    settings += [("training.epochs", arguments.epochs), ("waveform_augment.bank", [])]
    spec = SearchSpec.load(arguments.space, [*settings, *arguments.set])
    split = make_split(load_corpus(spec.corpus, arguments.output.parent), spec.protocol)
    recorder = Recorder(spec, split)
    found: dict[str, Any] = {"space": arguments.space, "corpus": arguments.corpus}
    found |= {"epochs": arguments.epochs, "settings": arguments.set, "rows": recorder.rows()}
    found["trials"] = []
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    for number, values in enumerate(proposals(spec, arguments.trials)):
        found["trials"].append(recorder.train(number, values))
        arguments.output.write_text(json.dumps(found) + "\n")
        last = found["trials"][-1]
        print(number, [round(e["val_uar"], 3) for e in last["epochs"]][-3:], flush=True)


def proposals(spec: SearchSpec, number: int) -> list[dict[str, Any]]:
    """The sections' own settings, then even draws: nothing is expected or modelled."""
    own = own_values(spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.journal"
        study = Study(path, "curves", spec.space, seed=0, num_startup=number, priors=False)
        study.enqueue(0, own)
        return [own, *(study.propose(i) for i in range(1, number))]


class Recorder:
    """One split's features, and trials on them."""

    def __init__(self, spec: SearchSpec, split: Split) -> None:
        self._spec, self._split = spec, split
        self._rows: SplitRows = split_rows(split)
        self._arrays: dict[str, FeatureArrays] = {}

    def rows(self) -> list[list[str]]:
        """Speaker and emotion of each validation row."""
        speakers = {row.id: row.speaker for row in self._split.validation}
        table = self._rows.validation
        names = self._rows.labels
        return [[speakers[i], names[k]] for i, k in zip(table.ids, table.labels, strict=True)]

    def train(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        """One trial to its end, or to the epoch whose loss was not finite."""
        config = self._spec.resolve(values)
        learner = _WithScores(
            config.model,
            config.training,
            config.spec_augment,
            self._data(config, seed_from(canonical_json(values))),
            seed=seed_from(number),
            device=torch.device("cpu"),
            features=config.features,
        )
        epochs = []
        try:
            while not learner.finished:
                epochs.append(learner.run_epoch().metrics)
        except NonFiniteLossError as error:
            print(number, error)
        scores = learner.scores
        right = [] if scores is None else (scores.log_probs.argmax(1) == scores.labels).int()
        losses = [] if scores is None else -scores.log_probs[range(len(right)), scores.labels]
        return {
            "number": number,
            "values": values,
            "warmup_epochs": config.training.warmup_epochs,
            "epochs": epochs,
            "right": [int(one) for one in right],
            "losses": [round(float(one), 4) for one in losses],
        }

    def _data(self, config: TrialConfig, seed: int) -> SplitData:
        used = config.used_features
        sources = {s: feature_source(Path("."), "curves", s, used[s]) for s in used}
        arrays = {stream: self._features(feature) for stream, feature in used.items()}
        reader = HostReader(arrays, {name: source.floor for name, source in sources.items()})
        return SplitData(
            self._rows,
            sources,
            reader,
            clip_s=config.training.clip_s,
            batch_size=config.training.batch_size,
            seed=seed,
            rank=0,
            world_size=1,
        )

    def _features(self, config: FeatureConfig) -> FeatureArrays:
        key = canonical_json(config)
        if key not in self._arrays:
            paths = {row.content_hash: row.path for _, rows in self._split.sides() for row in rows}
            extract, names = build_extractor(config), self._rows.keys()
            values = [extract([read_audio(paths[n], config.sample_rate)])[0] for n in names]
            wide = [one.astype(np.float64) for one in values]
            stats = RowStats(
                np.array([len(one) for one in values]),
                np.stack([one.sum(0) for one in wide]),
                np.stack([(one**2).sum(0) for one in wide]),
            )
            self._arrays[key] = FeatureArrays(np.concatenate(values), stats)
        return self._arrays[key]


class _WithScores(Learner):
    """Keeps the last epoch's scores."""

    scores: Scores | None = None

    def _validate(self, watch: Any) -> dict[str, float]:
        from raysearch.training.gradient import autocast

        context = autocast(self.training, self.device)
        batches = self.data.validation_batches()
        normaliser, number = self._normaliser, self.data.num_classes
        self.scores = score_batches(self.model, batches, normaliser, number, context)
        return validation_metrics(self.scores.totals())


if __name__ == "__main__":
    main()
