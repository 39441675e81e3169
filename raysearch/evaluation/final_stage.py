"""From a search's trials to its final model, by inner validation alone.

``auto`` weighs the greedy ensemble against the best trial on validation speakers that chose
neither: that decides whose settings it is made of. A best trial that is not clearly better than the
space's own settings owes its place to luck as much as to merit, so both are used. Their nets have
never learned from their own validation speakers; so what was chosen learns again from training and
validation rows together, with several seeds. Where the budget has no time left for it, the nets
that are there are used: the ensemble, or the winner's inner folds together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from raysearch.errors import TrialError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.calibration import temperature_of
from raysearch.evaluation.candidates import (
    Kept,
    kept_candidates,
    kept_records,
    own_record,
)
from raysearch.evaluation.final_model import ALL_ROWS, FinalModel, Net, save_final
from raysearch.evaluation.fusion import fused
from raysearch.evaluation.retraining import retrain
from raysearch.evaluation.selection import (
    Comparison,
    clearly_ahead,
    compare_with_single,
    informed,
    mean_log_probs,
    select,
    value,
)
from raysearch.models.base import SolvedModel
from raysearch.models.model_table import MODELS
from raysearch.protocols.splits import without_validation
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.trial_records import TrialRecord
from raysearch.tuning.tuner import Ended, Watcher

__all__ = ["FinalStage", "apportioned", "single_model"]


def single_model(run: RunFolder, spec: SearchSpec, record: TrialRecord) -> FinalModel:
    """Make a final model of the best trial's weights from its first inner fold."""
    nets = _nets(run, spec, record, 1)
    return FinalModel("single", record.trial, nets, "the best trial by validation")


def _nets(run: RunFolder, spec: SearchSpec, record: TrialRecord, num_inner: int) -> tuple[Net, ...]:
    """The nets of a trial's inner folds, with equal shares."""
    assert record.checkpoint is not None
    config, folder = spec.resolve(record.config), run.root.absolute() / record.checkpoint[0]
    folds = range(num_inner)
    return tuple(Net(record.number, config, folder, fold, 1 / num_inner) for fold in folds)


@dataclass(frozen=True)
class FinalStage:
    """Builds and stores the final model once the trials of a search are over.

    Attributes:
        run: the run; its lease is held.
        spec: its settings; ``search.final`` says what is wanted.
        lease: of the run's folder.
        audited: its data.
        watcher: who is told.
    """

    run: RunFolder
    spec: SearchSpec
    lease: Lease
    audited: AuditedSplit
    watcher: Watcher

    def __call__(self, ended: Ended) -> None:
        """Make the final model and write ``final.json``; nothing if no trial has weights."""
        records = kept_records(ended.trials)
        if not records:
            return
        inner = (self.audited.split, *self.audited.inner)
        kept = kept_candidates(self.run, ended.trials, inner)
        model, others = self._make(ended, records[0], kept)
        if kept is not None:
            whole = self._fused(ended, model, kept)
            if "temperature" not in whole.validation:
                temperature = temperature_of(_stand_in(model, kept), kept.labels)
                whole = replace(whole, validation={**whole.validation, "temperature": temperature})
            if whole.nets != model.nets:
                others["without partner"] = model.nets
            model = whole
        save_final(self.run, replace(model, others=others))
        self.watcher.say(f"final model: {model.describe()}; {model.reason}")

    def _make(
        self, ended: Ended, winner: TrialRecord, kept: Kept | None
    ) -> tuple[FinalModel, dict[str, tuple[Net, ...]]]:
        """The model that is asked for, and those that could be had without any training."""
        asked, num_inner = self.spec.search.final, 1 + len(self.audited.inner)
        single = single_model(self.run, self.spec, winner)
        made = {"single": single, "bag": self._bag(winner, num_inner)}
        counts, figures, why, pays = {winner.number: 1}, _value_of(kept), "", False
        if kept is not None:
            able = informed(kept.candidates, kept.labels)
            chosen = select(able, kept.labels)
            made["ensemble"] = self._ensemble(ended, winner, chosen)
            compared = compare_with_single(able, kept.labels, kept.speakers)
            pays, why, more = _judged(compared)
            figures |= more
            pays = pays and asked == "auto"
            if pays:
                counts = chosen
            elif asked == "auto" and (own := _equal(ended, winner, kept)) is not None:
                counts[own] = 1
                why += "; the best trial is not clearly better than the space's own settings"
        if asked in ("auto", "refit"):
            model = self._refit(ended, winner, counts)
            if model is None:
                model = made["ensemble"] if pays else made["bag"]
        else:
            model = made.get(asked, single)
        reason = f"{model.reason}; {why}" if why and asked in ("auto", "ensemble") else model.reason
        others = {name: other.nets for name, other in made.items() if other.nets != model.nets}
        if num_inner == 1:
            others.pop("bag", None)
        return replace(model, reason=reason, validation=figures), others

    def _bag(self, winner: TrialRecord, num_inner: int) -> FinalModel:
        nets = _nets(self.run, self.spec, winner, num_inner)
        reason = f"the best trial's nets of {num_inner} inner fold(s)"
        return FinalModel("bag", winner.trial, nets, reason)

    def _ensemble(self, ended: Ended, winner: TrialRecord, counts: dict[int, int]) -> FinalModel:
        """The kept nets of the trials in ``counts``, of all their inner folds."""
        nets = [
            replace(net, weight=net.weight * count)
            for number, count in sorted(counts.items())
            for net in _nets(
                self.run, self.spec, ended.trials.records[number], 1 + len(self.audited.inner)
            )
        ]
        reason = f"{len(counts)} trial{'s' if len(counts) > 1 else ''}, chosen greedily"
        return FinalModel("ensemble", winner.trial, (), reason).with_nets(nets)

    def _refit(
        self, ended: Ended, winner: TrialRecord, counts: dict[int, int]
    ) -> FinalModel | None:
        """The settings of the trials in ``counts``, learned from all rows; None without time."""
        ready = [slot for slot in ended.pool.slots if slot.staying and slot.ready]
        num_nets = ended.refit.num_seeds(winner, len(ready), ended.left_s)
        seeds_of = apportioned(counts, num_nets)
        if issubclass(MODELS.load(self.spec.model.name), SolvedModel):
            seeds_of = dict.fromkeys(counts, 1)  # another seed would solve to the same
        arms = {
            number: self._refit_arm(ended, ended.trials.records[number], seeds)
            for number, seeds in seeds_of.items()
        }
        tasks = [t for a in arms.values() for t in a.tasks(self.run.root.absolute(), self.lease)]
        if tasks:
            self.watcher.say(f"refit on training and validation rows: {len(tasks)} nets")
        try:
            retrain(ended.pool, tasks, lambda line: None)
        except TrialError as error:
            self.watcher.say(f"no refit: {error}")
            return None
        nets = [
            replace(net, trial=number, inner=ALL_ROWS, weight=counts[number] / seeds_of[number])
            for number, arm in arms.items()
            for variant in arm.variants()
            for net in variant
        ]
        if not nets:
            return None
        reason = f"{len(nets)} nets on training and validation rows"
        return FinalModel("refit", winner.trial, (), reason).with_nets(nets)

    def _refit_arm(self, ended: Ended, record: TrialRecord, seeds: int) -> Arm:
        config = self.spec.resolve(record.config)
        epochs = ended.refit.epochs(record)
        whole = replace(self.audited, split=without_validation(self.audited.split), inner=())
        return Arm(
            self.spec,
            whole,
            config.replace({"training.epochs": epochs}),
            f"{record.trial}-{epochs}",
            self.run.root / "final",
            bank=ended.bank.of_rows(ended.bank.all_rows),
            num_seeds=seeds,
        )

    def _fused(self, ended: Ended, model: FinalModel, kept: Kept) -> FinalModel:
        """With a partner on functionals, if inner validation gives it a share."""
        try:
            return fused(
                model,
                _stand_in(model, kept),
                run=self.run,
                spec=self.spec,
                lease=self.lease,
                audited=self.audited,
                ended=ended,
            )
        except TrialError as error:
            self.watcher.say(f"no late fusion: {error}")
            return model


def _stand_in(model: FinalModel, kept: Kept) -> NDArray[np.float64]:
    """What stands for ``model`` on inner validation rows: its trials' nets that did not learn them.

    Returns:
        Log-probabilities, (N, K).
    """
    known = {candidate.number for candidate in kept.candidates}
    shares = {n: share for n, share in model.members.items() if n in known}
    return mean_log_probs(kept.candidates, shares or {kept.candidates[0].number: 1})


def apportioned(counts: Mapping[int, int], num_nets: int) -> dict[int, int]:
    """``num_nets`` nets over the trials in ``counts``, in proportion (by D'Hondt's method)."""
    given = dict.fromkeys(counts, 0)
    for _ in range(num_nets):
        number = max(counts, key=lambda n: (counts[n] / (given[n] + 1), -n))
        given[number] += 1
    return {number: seeds for number, seeds in given.items() if seeds}


def _equal(ended: Ended, winner: TrialRecord, kept: Kept) -> int | None:
    """The trial of the space's own settings, unless the winner is clearly better."""
    own = own_record(ended.trials)
    if own is None or own.number == winner.number:
        return None
    of = {candidate.number: candidate for candidate in kept.candidates}
    if own.number not in of or clearly_ahead(of[winner.number], of[own.number], kept.labels):
        return None
    return own.number


def _judged(compared: Comparison | None) -> tuple[bool, str, dict[str, float]]:
    """Whether an ensemble pays, in words, and the figures."""
    if compared is None:
        return False, "one validation speaker cannot judge an ensemble", {}
    gain = 100 * (compared.ensemble - compared.single)
    why = (
        f"an ensemble had {gain:+.1f} UA points (+-{100 * compared.error:.1f}) on validation "
        "speakers that did not choose it"
    )
    figures = {
        "single_ua": compared.single,
        "ensemble_ua": compared.ensemble,
        "error": compared.error,
    }
    return compared.pays, why, figures


def _value_of(kept: Kept | None) -> dict[str, object]:
    """UA of the winner on all inner validation rows, each by the net that did not learn it."""
    if kept is None:
        return {}
    return {"winner_ua": value(kept.candidates[0].log_probs, kept.labels)[0]}
