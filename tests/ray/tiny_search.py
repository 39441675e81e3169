"""A whole search that takes seconds: real corpus, real model, real worker groups."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from raysearch.evaluation.final_model import FINAL
from raysearch.evaluation.final_stage import FinalStage
from raysearch.evaluation.pretrain_stage import PretrainStage
from raysearch.ledger import TERMINAL, read
from raysearch.run_folder import RunFolder
from raysearch.run_lease import RunLease
from raysearch.spec import SearchSpec
from raysearch.storage.two_kinds import storage_of
from raysearch.streaming.preparation import prepare_split
from raysearch.tuning.start_source import find_source, fitted, write_learned
from raysearch.tuning.tuner import Watcher, run_search

# Of whichever system.
SMALL_FEATURES = {
    "features.mel.n_mels": 20,
    "features.mel.hop_ms": 20.0,
    "features.mfcc.n_mfcc": 13,
    "features.mfcc.deltas": 0,
    "features.mfcc.hop_ms": 25.0,
    "features.functionals.hop_ms": 40.0,
    "features.functionals.groups": "prosody",
}
SMALL = {
    "features.mel.n_mels": 20,
    "features.mel.hop_ms": 20.0,
    "training.clip_s": 1.0,
    "training.batch_size": 32,
    "model.width": 8,
    "model.branches": 2,
    "model.blocks": 1,
    "model.stem_width": 16,
    "model.stem_stride": 4,
    "training.epochs": 2,
    "search.trials": 4,
    "search.defaults_first": False,
    "search.priors": False,
    "search.inner_folds": 1,
    "search.final": "single",
}


class Hook:
    """An observer that acts once, at the first event that fits."""

    def __init__(self, fits, act):
        self.fits, self.act, self.done = fits, act, False

    def changed(self, trials, event):
        if not self.done and self.fits(event):
            self.done = True
            self.act(event)


def small_spec(**settings):
    given = {key.replace("__", "."): value for key, value in settings.items()}
    fixed = {k: v for k, v in SMALL.items() if f"space.{k}" not in given}
    return SearchSpec.load("emohrnet", list({**fixed, **given}.items()))


def search(
    spec,
    storage: Path,
    name: str,
    cluster,
    observers=(),
    resume=False,
    finals=(),
    start=False,
    say=lambda line: None,
):
    """Run ``spec`` to its end; the run's folder and the trials.

    Each of ``finals`` makes a final model of the same trials; its record is ``METHOD.json``. With
    ``start`` the trials start from what ``spec.pretrain`` says.
    """
    run = RunFolder(storage / name)
    source = find_source(spec, storage, run) if start else None
    spec, _ = fitted(spec, source)
    with RunLease.acquire(run.root) as lease:
        run.open(spec, resume=resume)
        audited = prepare_split(spec, storage)
        write_learned(run, audited.split, source.learned if source else None)
        watcher = Watcher(say, lambda *counts: None, observers)
        begin = None
        if source is not None:
            source.check((audited.split, *audited.inner))
            begin = PretrainStage(run, spec, lease, audited, source, storage, watcher)

        def finish(ended):
            for method in finals:
                wanted = replace(spec, search=spec.search.model_copy(update={"final": method}))
                FinalStage(run, wanted, lease, audited, watcher)(ended)
                shutil.copyfile(run.root / FINAL, run.root / f"{method}.json")

        trials = run_search(
            spec,
            run,
            lease,
            audited,
            cluster,
            started=time.time(),
            storage=storage_of(storage),
            features=storage,
            watcher=watcher,
            begin=begin,
            finish=finish if finals else None,
        )
    return run, trials


def ends(run: RunFolder):
    """Number to terminal events."""
    found: dict[int, list[str]] = {}
    for event in read(run.ledger_file):
        if event.event in TERMINAL:
            found.setdefault(event.number, []).append(event.event)
    return found


def losses(trials):
    """Everything that a search found, without its times."""
    return {
        number: (
            record.trial,
            record.status,
            {e: dict(r.metrics) for e, r in record.epochs.items()},
        )
        for number, record in trials.records.items()
    }


def check_promoted(run: RunFolder) -> int:
    """Trials of ``run`` were promoted where they had paused, and no epoch was trained twice.

    Returns:
        How many. Of several slots that is a matter of who comes first.
    """
    events = list(read(run.ledger_file))
    paused = {(e.number, e.attempt): e.data["epoch"] for e in events if e.event == "paused"}
    promoted = [e for e in events if e.data.get("promoted")]
    for event in promoted:
        assert event.data["epoch"] == paused[event.number, event.attempt - 1]
    told = [(e.number, e.data["epoch"]) for e in events if e.event == "epoch"]
    assert len(told) == len(set(told)), "an epoch was trained twice"
    return len(promoted)
