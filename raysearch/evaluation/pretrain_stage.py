"""Pre-training: one net of other corpora, on a worker slot, before the first trial.

It has the space's own settings and learns from every recording of those corpora. What it has cost
is paid out of the search's budgets, of which it may take a third: then it ends where it is.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysearch.corpora.corpus_table import CorpusConfig
from raysearch.errors import DataError
from raysearch.evaluation.pretrain_net import FOLDER, NetTraining
from raysearch.evaluation.starting_point import begun_by
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.storage.run_storage import ensure_current
from raysearch.streaming.preparation import AuditedSplit, prepare_features
from raysearch.streaming.wanted_features import WantedFeatures
from raysearch.training.checkpoint import load_tensors
from raysearch.training.start_weights import PRETRAINED, WEIGHTS, read_start, save_start
from raysearch.training.trial_state import BEST
from raysearch.trial_config import TrialConfig
from raysearch.tuning.start_record import (
    RECORD,
    StartRecord,
    kept_folder,
    kept_record,
    publish_start,
)
from raysearch.tuning.start_source import Source, taken_of
from raysearch.tuning.tuner import Begun, Watcher
from raysearch.workers.pool import WorkerPool

__all__ = ["PretrainStage"]


@dataclass(frozen=True)
class PretrainStage:
    """What precedes the trials of a search that starts from somewhere.

    Attributes:
        run: the run; its lease is held.
        spec: its settings.
        lease: of the run's folder.
        audited: its data.
        source: what they start from, audited.
        storage: where features are kept.
        watcher: who is told.
    """

    run: RunFolder
    spec: SearchSpec
    lease: Lease
    audited: AuditedSplit
    source: Source
    storage: Path
    watcher: Watcher

    def __call__(self, pool: WorkerPool) -> Begun:
        """Fill ``pretrained/`` unless it is there.

        Raises:
            DataError: nothing fits a trial's network, or trials began and what they start from is
                gone.
            LeakError: what is there knows a held-out row; corpora may have changed since.
            TrialError: the pre-training failed.
            InfrastructureError: no slot is left to train on.
        """
        if kept_folder(self.run) is None:
            if self.run.ledger_file.exists() and self.run.trials().records:
                raise DataError(
                    f"{self.run.root / PRETRAINED}: what the trials started from is gone: search "
                    "anew under another --name"
                )
            if self.source.folder is None:
                self._learn(pool)
            else:
                self._keep(self.source.folder / self.source.weights, self.source.labels)
        folder = self.run.root / PRETRAINED
        record = kept_record(folder)
        for split in (self.audited.split, *self.audited.inner):
            Learned.read(folder / LEARNED_FROM).check(split, record.origin)
        self.watcher.say(f"trials start from {record.line()}")
        return begun_by(self.run)

    # ---- learning ----------------------------------------------------------------------------

    def _learn(self, pool: WorkerPool) -> None:
        config, corpus_config = self._own_settings()
        corpus = self.source.corpus
        assert corpus is not None
        split = Split("speaker_independent", 0, 1, corpus.utterances, (), ())
        bank = prepare_features(
            WantedFeatures.of_trial(config),
            split,
            self.storage,
            corpus=corpus_config,
            search=self.spec.search,
            on_progress=self.watcher.progress,
        )
        self.watcher.say(f"pre-training on {self.source.learned.describe()}")
        training = NetTraining(self.run, self.spec, self.lease, config, split, bank, self.watcher)
        checkpoint, epochs, spent = training.run(pool)
        if epochs < config.training.epochs:
            self.watcher.say(
                f"pre-training ends after {epochs} of {config.training.epochs} epochs: it has had "
                "its third of the budget"
            )
        self._keep(
            checkpoint / BEST, bank.rows.labels, epochs=epochs, wall_s=spent[0], core_s=spent[1]
        )
        training.forget(training.checkpoints())
        shutil.rmtree(self.run.root / FOLDER, ignore_errors=True)

    def _own_settings(self) -> tuple[TrialConfig, CorpusConfig]:
        """The space's own settings, and the corpora to learn from."""
        config, pretrain = self.spec.base, self.spec.pretrain
        assert pretrain.on is not None
        if pretrain.epochs is not None:
            config = config.replace({"training.epochs": pretrain.epochs})
        if config.training.by_votes:
            # Other corpora have one label a recording, and the net is to start from what they say.
            config = config.replace({"training.targets": "majority"})
        share = self.spec.corpus.max_quarantined
        return config, CorpusConfig(name=pretrain.on, data=pretrain.data, max_quarantined=share)

    # ---- keeping -----------------------------------------------------------------------------

    def _keep(self, weights: Path, labels: tuple[str, ...], **cost: Any) -> None:
        config = self.source.config or self.spec.base
        tensors = load_tensors(weights)

        def write(stage: Path) -> None:
            save_start(stage / WEIGHTS, tensors, labels)
            start = read_start(stage / WEIGHTS)
            record = StartRecord(
                origin=self.source.origin,
                learned=self.source.learned.describe(),
                taken=taken_of(self.spec, start, self.audited.split.labels).describe(),
                digest=start.digest,
                **cost,
            )
            texts = {
                RECORD: record.model_dump_json(indent=1),
                "config.json": json.dumps(config.to_dict(), indent=1),
                "labels.json": json.dumps(list(labels)),
                LEARNED_FROM: self.source.learned.to_csv(),
            }
            for name, text in texts.items():
                (stage / name).write_text(text, encoding="utf-8")

        publish_start(self.run, write, lambda: ensure_current(self.run.root, self.lease.fence))
