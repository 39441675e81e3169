"""Where everything of one run lies, and what may be read of it without a search.

spec.yaml  run.json  summary.json  trials.jsonl  leaderboard.csv  leaderboard.md
study.journal  splits.csv  data.json  evaluation.json  dimensions.json
predictions.parquet
checkpoints/NUMBER/epoch-E-attempt-A/  best/  tensorboard/  logs/  nested/fold-K/
"""

import csv
import io
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysearch.errors import MissingPathError, OtherSettingsError, RunExistsError, UserError
from raysearch.files import write_json, write_text
from raysearch.ledger import Event, read
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["RACE", "SPLIT_COLUMNS", "RunFolder", "new_name", "newest_equal_run"]

_OVER = ("finished", "epoch budget", "time budget", "core budget")
# In a folder that holds a race of several systems instead, each of them a run.
RACE = "race.json"
SPLIT_COLUMNS = ("utterance", "speaker", "fold", "split", "emotion", "duration_s", "path")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run; nothing is made or read until it is asked for."""

    root: Path

    @classmethod
    def existing(cls, root: Path) -> "RunFolder":
        """A folder that holds a run; of a race of systems, the winner's.

        Raises:
            MissingPathError: it does not.
        """
        run = cls(root)
        if not run.spec_file.is_file() and (winner := _winner(root)):
            run = cls(root / winner)
        if not run.spec_file.is_file():
            raise MissingPathError(f"{root}: not a run's folder: it has no spec.yaml")
        return run

    @property
    def storage(self) -> Path:
        """Where it and its features are kept; of a race's run, where the race is."""
        folder = self.root.parent
        return folder.parent if (folder / RACE).is_file() else folder

    @property
    def spec_file(self) -> Path:
        """The resolved settings."""
        return self.root / "spec.yaml"

    @property
    def info_file(self) -> Path:
        """Versions, hardware, data fingerprint, and each driver's start."""
        return self.root / "run.json"

    @property
    def ledger_file(self) -> Path:
        """The ledger."""
        return self.root / "trials.jsonl"

    @property
    def study_file(self) -> Path:
        """Optuna's journal."""
        return self.root / "study.journal"

    @property
    def splits_file(self) -> Path:
        """The path of ``splits.csv``: which utterance is on which side."""
        return self.root / "splits.csv"

    @property
    def data_file(self) -> Path:
        """The path of ``data.json``: what was read of the corpus, and what was dropped and why."""
        return self.root / "data.json"

    @property
    def steering(self) -> Path:
        """The folder of commands that its search has not taken yet."""
        return self.root / "steering"

    @property
    def best(self) -> Path:
        """The folder of the best model, ready to use."""
        return self.root / "best"

    @property
    def logs(self) -> Path:
        """The folder of Ray's log records."""
        return self.root / "logs"

    def nested(self, fold: int) -> "RunFolder":
        """The run of the same search inside another outer fold."""
        return RunFolder(self.root / "nested" / f"fold-{fold}")

    def spec(self) -> SearchSpec:
        """The run's own settings."""
        return SearchSpec.load(str(self.spec_file))

    def info(self) -> dict[str, Any]:
        """Read ``run.json``; empty before it is written."""
        if not self.info_file.exists():
            return {}
        data: dict[str, object] = json.loads(self.info_file.read_text(encoding="utf-8"))
        return data

    @property
    def is_over(self) -> bool:
        """Whether its last sitting ended by the search's trials or by a budget."""
        sessions = self.info().get("sessions", [])
        return bool(sessions) and sessions[-1].get("outcome") in _OVER

    def events(self) -> list[Event]:
        """All of the ledger, as it is now; none before it is begun."""
        return read(self.ledger_file) if self.ledger_file.exists() else []

    def trials(self) -> Trials:
        """Replay the ledger: every trial, as it is now."""
        return Trials.replay(self.events(), self.spec().search.objective)

    def check(self, spec: SearchSpec, *, resume: bool) -> None:
        """Refuse a name that is taken, or a resumption that cannot be; nothing is written.

        Args:
            spec: what is asked for.
            resume: whether to go on with what is there.

        Raises:
            RunExistsError: it exists and ``resume`` is not asked for.
            OtherSettingsError: its settings differ.
            UserError: there is nothing to resume.
        """
        if (self.root / RACE).is_file():
            raise RunExistsError(
                f"{self.root}: a race of this name exists; continue it with --space auto --resume, "
                "or choose another --name"
            )
        if not self.spec_file.exists():
            if resume:
                raise UserError(f"{self.root}: nothing to resume there; leave --resume out")
        elif not resume:
            raise RunExistsError(
                f"{self.root}: a run of this name exists; continue it with --resume, "
                "or choose another --name"
            )
        elif changes := self.spec().differences(spec):
            raise OtherSettingsError(
                f"{self.root}: cannot resume with other settings: {'; '.join(changes)}"
            )

    def open(self, spec: SearchSpec, *, resume: bool) -> None:
        """Make the folder for ``spec``, or continue what is there; raises as ``check`` does."""
        self.check(spec, resume=resume)
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(self.spec_file, spec.to_yaml())

    def write_splits(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Note which utterance went where, by the keys of SPLIT_COLUMNS; others stay empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, SPLIT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.splits_file, text.getvalue())

    def add_session(self, started: float, fence: int, facts: dict[str, object]) -> None:
        """Note in ``run.json`` that a driver began; the first one's ``facts`` stay."""
        info = {**facts, **self.info()}
        sessions = [*info.get("sessions", []), {"started": started, "fence": fence}]
        write_json(self.info_file, {**info, "sessions": sessions})

    def end_session(self, outcome: str, joules: Mapping[str, float] | None = None) -> None:
        """Note how the last driver ended, unless the disk is full: that is told already.

        Args:
            outcome: how.
            joules: what its machine used meanwhile, by kind of counter, where that is known.
        """
        info = self.info()
        known = {"energy_joules": dict(joules)} if joules else {}
        info["sessions"][-1].update(ended=time.time(), outcome=outcome, **known)
        with suppress(OSError):
            write_json(self.info_file, info)


def _winner(root: Path) -> str | None:
    """The system that won the race at ``root``; None where there is no race."""
    try:
        state = json.loads((root / RACE).read_text(encoding="utf-8"))
        winner, systems = state["winner"], state["systems"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MissingPathError(f"{root / RACE}: not a race's record: {error}") from None
    if winner not in systems:
        names = ", ".join(f"{root}/{system}" for system in systems)
        raise MissingPathError(
            f"{root}: a race that has no winner yet: resume it, or name a system's run ({names})"
        )
    return str(winner)


def new_name(spec: SearchSpec) -> str:
    """The name of a run that was given none: ``<space>-<corpus>-<timestamp>``."""
    return f"{spec.name}-{spec.corpus.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def newest_equal_run(storage: Path, spec: SearchSpec) -> RunFolder:
    """The newest run under ``storage`` that ``spec`` may resume.

    Raises:
        UserError: there is none.
    """
    runs = sorted(storage.glob("*/spec.yaml"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in runs:
        run = RunFolder(file.parent)
        try:
            if not run.spec().differences(spec):
                return run
        except UserError:
            continue  # written by another version, or by hand
    raise UserError(
        f"{storage}: no run has these settings; name the one to resume with --name, "
        "or leave --resume out"
    )
