"""An experiment on a winner: some settings changed, trained and scored beside it, fold by fold.

A training is stored by its identity: its settings, the rows of its split, and its seed. So whatever
an earlier experiment or an interrupted one has trained is not trained again, be it an ablation or
a value of a sweep.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raysearch.errors import UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.compare import Compared, compare_all
from raysearch.evaluation.evaluate import best_record
from raysearch.evaluation.figures import Figures, folds_shown
from raysearch.evaluation.outlay import Outlay, outlay_of
from raysearch.evaluation.predict import pooled
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.scores import score
from raysearch.evaluation.stored_predictions import Predicted
from raysearch.evaluation.winner_folds import (
    Folds,
    fold_notes,
    folds_of,
    is_searched,
    where_of,
    winner_arms,
)
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import trial_identity
from raysearch.streaming.rated_rows import refuse_dimensions
from raysearch.streaming.votes_in_use import require_votes, votes_field
from raysearch.trial_config import TrialConfig
from raysearch.tuning.tuner import Watcher

__all__ = ["WINNER", "Change", "Experiment", "Outcome", "plan_experiment"]

WINNER = "winner"
"""The name of the winner among the systems that are compared."""

# A winner's settings to what they are changed to; themselves where nothing is to be changed.
Change = Callable[[TrialConfig], TrialConfig]
# Where an arm's trainings lie: two changes may give the same settings.
_Key = tuple[Path, str]


@dataclass(frozen=True)
class Outcome:
    """What an experiment has found.

    Attributes:
        figures: of the winner and of each change, by name.
        compared: with the winner, each change that is not the winner itself in every fold.
    """

    figures: Mapping[str, Figures]
    compared: Mapping[str, Compared]


@dataclass(frozen=True)
class Experiment:
    """A winner and what is changed of it, planned; nothing is trained yet.

    Attributes:
        run: the winner's.
        winner: one arm a fold.
        changed: name to one arm a fold, in the winner's order of folds.
    """

    run: RunFolder
    winner: tuple[Arm, ...]
    changed: Mapping[str, tuple[Arm, ...]]

    @property
    def arms(self) -> list[Arm]:
        """Every arm once."""
        return list({_key(arm): arm for _, arms in self._systems() for arm in arms}.values())

    def outlay(self) -> Outlay:
        """What is to be trained for it."""
        return outlay_of(self.arms, best_record(self.run))

    def outlay_line(self) -> str:
        """The same in a line for the user, with what is compared."""
        number, where = len(self.changed), folds_shown(folds_of(self.winner))
        changes = "1 change" if number == 1 else f"{number} changes"
        return f"the winner and {changes} of it on {where}: {self.outlay().line()}"

    def carry_out(
        self, lease: Lease, session: ClusterSession, *, storage: Path, watcher: Watcher
    ) -> Outcome:
        """Train what is missing on one pool of slots, score all test rows, and compare.

        Args:
            lease: of the run's folder.
            session: the connected Ray.
            storage: where features are kept.
            watcher: who is told.

        Raises:
            TrialError: a training failed.
            InfrastructureError: no slot is left; the same command goes on.
        """
        arms = self.arms
        _, results = run_arms(
            arms,
            self.winner[0].spec,
            self.run,
            lease,
            session,
            line=lambda times: f"training: {times}",
            storage=storage,
            watcher=watcher,
        )
        found = {_key(arm): result for arm, result in zip(arms, results, strict=True)}
        return self.judge({name: [found[_key(a)] for a in s] for name, s in self._systems()})

    def judge(self, results: Mapping[str, Sequence[Predicted]]) -> Outcome:
        """Score and compare predictions, speakers of all folds together.

        Args:
            results: of the winner and each change by name, one a fold.
        """
        tables = {name: pooled([table for table, _ in of]) for name, of in results.items()}
        figures = {
            name: score(
                tables[name],
                protocol=arms[0].spec.protocol.name,
                where=where_of(self.winner),
                notes=self._notes(arms, results[name]),
            )
            for name, arms in self._systems()
        }
        # Compared with itself, the winner would count among the tests that Holm corrects for.
        same = [name for name, arms in self.changed.items() if arms == self.winner]
        pairs = [(name, WINNER) for name in self.changed if name not in same]
        return Outcome(figures, {one.first: one for one in compare_all(tables, pairs)})

    def _systems(self) -> list[tuple[str, tuple[Arm, ...]]]:
        return [(WINNER, self.winner), *self.changed.items()]

    def _notes(self, arms: Sequence[Arm], results: Sequence[Predicted]) -> list[str]:
        notes = fold_notes(self.run, self.winner, arms, results)
        if not is_searched(self.winner):
            notes.append("these speakers chose the winner, which may gain by it above its changes")
        return notes


def plan_experiment(
    run: RunFolder, changes: Mapping[str, Change], *, folds: Folds, splits: RunSplits
) -> Experiment:
    """Settle what is trained and scored where.

    Args:
        run: a searched run.
        changes: by name, what becomes of a winner's settings.
        folds: on which folds; None: all.
        splits: of the run.

    Raises:
        UserError: no winner, no such fold, a change that is called ``winner``, one to votes where
            there are none, or a search that predicts dimensions.
        DataError: a split leaks, or its data is unusable.
    """
    if WINNER in changes:
        raise UserError(f"{WINNER!r} is the winner's own name: name the change otherwise")
    refuse_dimensions(run.spec(), "an ablation or sweep")
    winner = winner_arms(run, folds, splits)
    return Experiment(
        run,
        winner,
        {
            name: tuple(_changed(run, arm, change(arm.config)) for arm in winner)
            for name, change in changes.items()
        },
    )


def _changed(run: RunFolder, own: Arm, config: TrialConfig) -> Arm:
    """The arm of ``config`` on the split of ``own``, which is ``own`` where they are the same."""
    if config == own.config:
        return own
    search, by_votes = own.spec.search, config.training.by_votes
    if by_votes:
        require_votes("training.targets", own.spec.corpus.name, own.audited.split)
    identity = trial_identity(
        config,
        own.audited.split.identity(
            speakers=config.training.by_speaker,
            votes=by_votes or votes_field(own.spec) is not None,
        ),
        search.workers_of_identity,
        search.seed,
    )
    return replace(
        own,
        config=config,
        identity=identity,
        searched=(),
        parts={},
        folder=run.root / "experiments",
        # Where the epochs themselves are asked about, they are all trained.
        last_epoch=own.last_epoch if config.training.epochs == own.config.training.epochs else None,
    )


def _key(arm: Arm) -> _Key:
    return arm.folder, arm.identity
