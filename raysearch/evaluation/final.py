"""From a search's trials to its final model, by inner validation alone.

``auto`` weighs the greedy ensemble against the best trial on validation speakers that chose
neither. If the ensemble does not win by more than chance, the winner is made the most of: its
inner folds' nets together if there are several, which no speaker is lost to; else it learns again
from training and validation rows, with several seeds.
"""

from dataclasses import dataclass, replace
from typing import Any

from raysearch.errors import TrialError
from raysearch.evaluation.arm import Arm, retrain
from raysearch.evaluation.candidates import Kept, kept_candidates, kept_records
from raysearch.evaluation.final_model import ALL_ROWS, FinalModel, Net, save_final
from raysearch.evaluation.fusion import fused
from raysearch.evaluation.selection import compare_with_single, mean_log_probs, select, value
from raysearch.lease import Lease
from raysearch.protocols.splits import without_validation
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_config import TrialConfig
from raysearch.trials import TrialRecord
from raysearch.tuning.preparation import AuditedSplit
from raysearch.tuning.tuner import Ended, Watcher

__all__ = ["FinalStage", "single_model"]


def single_model(run: RunFolder, spec: SearchSpec, record: TrialRecord) -> FinalModel:
    """The best trial's weights, of its first inner fold."""
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
    """What follows the trials of one search.

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
        model = self._make(ended, records[0], kept)
        if kept is not None:
            model = self._fused(ended, model, kept)
        save_final(self.run, model)
        self.watcher.say(f"final model: {model.describe()}; {model.reason}")

    def _fused(self, ended: Ended, model: FinalModel, kept: Kept) -> FinalModel:
        """With a partner on functionals, if inner validation gives it a share."""
        counts = {kept.candidates[0].number: 1.0}
        if model.method == "ensemble":
            counts = model.members
        log_probs_NK = mean_log_probs(kept.candidates, counts)
        try:
            return fused(
                model,
                log_probs_NK,
                run=self.run,
                spec=self.spec,
                lease=self.lease,
                audited=self.audited,
                ended=ended,
            )
        except TrialError as error:
            self.watcher.say(f"no late fusion: {error}")
            return model

    def _make(self, ended: Ended, winner: TrialRecord, kept: Kept | None) -> FinalModel:
        asked, num_inner = self.spec.search.final, 1 + len(self.audited.inner)
        if asked == "single":
            return single_model(self.run, self.spec, winner)
        ensemble, why = self._ensemble(ended, kept, needed=asked == "ensemble")
        if ensemble is not None:
            return ensemble
        if asked == "bag" or (asked == "auto" and num_inner > 1):
            nets = _nets(self.run, self.spec, winner, num_inner)
            reason = why or f"the nets of {num_inner} inner folds together"
            return FinalModel("bag", winner.trial, nets, reason, _value_of(kept))
        return self._refit(ended, winner, why, _value_of(kept))

    def _ensemble(
        self, ended: Ended, kept: Kept | None, *, needed: bool
    ) -> tuple[FinalModel | None, str]:
        """The greedy ensemble if it is ``needed`` or pays; else why not."""
        if self.spec.search.final not in ("auto", "ensemble"):
            return None, ""
        if kept is None:
            return None, "the trials left no validation predictions"
        compared = compare_with_single(kept.candidates, kept.labels, kept.speakers)
        shown: dict[str, Any] = _value_of(kept)
        why = "one validation speaker cannot judge an ensemble"
        if compared is not None:
            shown |= {
                "single_ua": compared.single,
                "ensemble_ua": compared.ensemble,
                "error": compared.error,
            }
            why = (
                f"an ensemble had {100 * (compared.ensemble - compared.single):+.1f} UA points "
                f"(+-{100 * compared.error:.1f}) on validation speakers that did not choose it"
            )
        if not (needed or (compared and compared.pays)):
            return None, why
        counts = select(kept.candidates, kept.labels)
        nets = [
            replace(net, weight=net.weight * count)
            for number, count in sorted(counts.items())
            for net in _nets(
                self.run,
                self.spec,
                ended.trials.records[number],
                1 + len(self.audited.inner),
            )
        ]
        winner = ended.trials.records[kept.candidates[0].number].trial
        return FinalModel("ensemble", winner, (), why, shown).with_nets(nets), why

    def _refit(
        self, ended: Ended, winner: TrialRecord, why: str, shown: dict[str, Any]
    ) -> FinalModel:
        """The winner's settings learned from all rows; the winner alone if that fails."""
        config = self.spec.resolve(winner.config)
        epochs = ended.refit.epochs(winner)
        ready = [slot for slot in ended.pool.slots if slot.staying and slot.ready]
        seeds = ended.refit.num_seeds(winner, len(ready), ended.left_s)
        arm = self._refit_arm(ended, config.replace({"training.epochs": epochs}), winner, seeds)
        tasks = arm.tasks(self.run.root.absolute(), self.lease)
        if tasks:
            self.watcher.say(f"refit on all rows: {len(tasks)} x {epochs} epochs")
        try:
            retrain(ended.pool, tasks, lambda line: None)
        except TrialError as error:
            single = single_model(self.run, self.spec, winner)
            return replace(single, reason=f"its refit failed: {error}")
        nets = [
            replace(net, trial=winner.number, inner=ALL_ROWS)
            for nets in arm.variants()
            for net in nets
        ]
        reason = why or f"{seeds} seeds on training and validation rows"
        return FinalModel("refit", winner.trial, (), reason, shown).with_nets(nets)

    def _refit_arm(self, ended: Ended, config: TrialConfig, winner: TrialRecord, seeds: int) -> Arm:
        whole = replace(self.audited, split=without_validation(self.audited.split), inner=())
        return Arm(
            self.spec,
            whole,
            config,
            f"{winner.trial}-{config.training.epochs}",
            self.run.root / "final",
            bank=ended.bank.of_rows(ended.bank.all_rows),
            num_seeds=seeds,
        )


def _value_of(kept: Kept | None) -> dict[str, Any]:
    """UA of the winner on all inner validation rows, each by the net that did not learn it."""
    if kept is None:
        return {}
    return {"winner_ua": value(kept.candidates[0].log_probs, kept.labels)[0]}
