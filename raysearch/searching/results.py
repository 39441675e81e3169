"""A run as its user reads it: its trials, its winner, its best model and how it ended."""

import html
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from raysearch.errors import TrialError
from raysearch.evaluation.final_model import FinalModel, load_final
from raysearch.reporting.leaderboard import leaderboard_rows
from raysearch.reporting.wording import figure, metric_name
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path
from raysearch.storage.run_storage import existing_run
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["Run"]

# Trials that a notebook shows unasked.
NUM_SHOWN = 10


class Run:
    """A run's folder, read-only: everything is read when it is asked for.

    A search that is still under way, or was stopped, has one as well.

    Args:
        place: the run's folder, or ``URL/name``, which is fetched; of a race, the winner's run.

    Raises:
        MissingPathError: there is no run.
    """

    def __init__(self, place: str | Path) -> None:
        self.files = existing_run(str(place))

    def __repr__(self) -> str:
        """Say in one line what it has found."""
        trials, best = self.trials, self.winner
        found = f"{len(trials.records)} trials"
        if best is not None:
            value = figure(trials.objective, best.best_metric)
            found += f", best {best.number:04d} with {metric_name(trials.objective)} {value}"
        return f"Run({display_path(self.folder)!r}: {found})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: what it has found, and the best trials."""
        head = html.escape(repr(self))
        frame = self.frame
        shown = frame.head(NUM_SHOWN).to_html(border=0, float_format=lambda x: f"{x:.4g}")
        more = len(frame) - NUM_SHOWN
        return f"<p>{head}</p>{shown}" + (f"<p>and {more} more</p>" if more > 0 else "")

    @property
    def frame(self) -> pd.DataFrame:
        """The trials as the leaderboard has them: a row each by number, the best first."""
        model = self.final
        rows = leaderboard_rows(self.spec, self.trials, model.members if model else None)
        return pd.DataFrame(rows).set_index("number") if rows else pd.DataFrame()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.files.root.name

    @property
    def folder(self) -> Path:
        """Its folder on this machine."""
        return self.files.root

    @property
    def spec(self) -> SearchSpec:
        """Its settings."""
        return self.files.spec()

    @property
    def trials(self) -> Trials:
        """Every trial; ``trials.ranked()`` has the best first."""
        return self.files.trials()

    @property
    def winner(self) -> TrialRecord | None:
        """The best trial by validation; None while no trial has a value."""
        return next(iter(self.trials.ranked()), None)

    @property
    def final(self) -> FinalModel | None:
        """What the final model is made of; None before it is made."""
        return load_final(self.files)

    @property
    def best(self) -> Path | None:
        """The folder of the final model, ready to use; None before there is one."""
        return self.files.best if self.files.best.is_dir() else None

    @property
    def outcome(self) -> str | None:
        """How the last sitting ended.

        Returns:
            ``finished``, the budget that was spent, ``interrupted`` or ``failed``; None if none
            has ended yet.
        """
        sessions = self.files.info().get("sessions", [])
        found = sessions[-1].get("outcome") if sessions else None
        return None if found is None else str(found)

    @property
    def summary(self) -> Mapping[str, object]:
        """The figures of ``summary.json``; empty before it is written."""
        path = self.folder / "summary.json"
        if not path.is_file():
            return {}
        found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @property
    def leaderboard(self) -> Path:
        """The table of all trials, as ``leaderboard.csv``; ``.md`` lies beside it."""
        return self.folder / "leaderboard.csv"

    def check(self) -> None:
        """Raise TrialError if there are trials and every one of them failed."""
        trials = self.trials
        if trials.all_failed:
            first = trials.with_status("failed")[0]
            raise TrialError(f"every trial failed, the first as {first.reason}")
