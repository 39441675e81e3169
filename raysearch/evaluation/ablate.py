"""What a winner owes to each of its parts: the ablations that the papers name, by the rules.

An ablation changes settings of a run's winner and nothing else. It is trained with three seeds in
each fold that is asked for, over as many epochs, its epoch chosen by validation, and scored on test
beside the winner. A difference is claimed as ``compare`` allows, speakers of all folds together.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.experiment import WINNER, Change, Experiment, Outcome
from raysearch.evaluation.experiment_figures import Ablations
from raysearch.evaluation.figures import folds_shown
from raysearch.evaluation.markdown import markdown_table, percent
from raysearch.evaluation.named_ablations import ABLATIONS, Ablation, Changes, check_names
from raysearch.evaluation.winner_folds import (
    Folds,
    is_answer,
    winner_configs,
    winners_of,
)
from raysearch.files import write_json, write_text
from raysearch.published_folder import load_json
from raysearch.run_folder import RunFolder
from raysearch.training.transductive import mark
from raysearch.trial_config import TrialConfig

__all__ = [
    "ablations_file",
    "applicable",
    "changes_shown",
    "store_ablations",
    "stored_ablations",
]


def ablations_file(run: RunFolder) -> Path:
    """Where the figures of ablations are kept; their table has another suffix."""
    return run.root / "ablations.json"


def stored_ablations(run: RunFolder, folds: Folds) -> Ablations | None:
    """What was found before on ``folds``; None if nothing was, or if others win there now."""
    path = ablations_file(run)
    if not path.exists():
        return None
    found = cast("Ablations", load_json(path))
    return found if is_answer(run, found, folds) else None


def applicable(
    run: RunFolder, names: Sequence[str], folds: Folds
) -> tuple[dict[str, Change], dict[str, str]]:
    """What each ablation makes of a winner's settings; and why the others do not apply.

    One that applies to the winners of some folds leaves those of the others as they are.

    Args:
        run: a searched run; its corpus is not read.
        names: which ablations; none given: all.
        folds: whose winners.

    Raises:
        UserError: no such ablation, or none that applies to a winner.
    """
    check_names(names)
    configs = winner_configs(run, folds)
    changes: dict[str, Change] = {}
    skipped: dict[str, str] = {}
    for ablation in ABLATIONS:
        if names and ablation.name not in names:
            continue
        found = [_changes(ablation, config) for config in configs]
        reasons = [one for one in found if isinstance(one, str)]
        if len(reasons) == len(found):
            skipped[ablation.name] = reasons[0]
        else:
            changes[ablation.name] = partial(_without, ablation)
    if not changes:
        told = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        raise UserError(f"{run.root}: nothing to ablate ({told})")
    return changes, skipped


def store_ablations(
    experiment: Experiment, outcome: Outcome, skipped: Mapping[str, str], folds: Folds
) -> Ablations:
    """Write what was found beside the run, and as a table.

    Args:
        experiment: of ``applicable`` ablations.
        outcome: what came of it.
        skipped: name to reason.
        folds: as they were asked for.
    """
    run = experiment.run
    found: Ablations = {
        **winners_of(run, experiment.winner, folds),
        "winner": outcome.figures[WINNER],
        "ablations": {
            name: {
                "changes": _by_fold(experiment, name),
                "figures": outcome.figures[name],
                "comparison": outcome.compared[name].to_dict(),
            }
            for name in experiment.changed
        },
        "skipped": dict(skipped),
    }
    path = ablations_file(run)
    write_json(path, found)
    write_text(path.with_suffix(".md"), _markdown(run.root.name, found))
    return found


def changes_shown(changes: Mapping[str, Changes]) -> str:
    """Fields and their new values, in words; where folds differ, those of each."""
    words = {
        fold: ", ".join(f"{field}={value}" for field, value in one.items())
        for fold, one in changes.items()
    }
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(
        f"{folds_shown(fold for fold in words if words[fold] == one)}: {one or 'as it is'}"
        for one in dict.fromkeys(words.values())
    )


def _changes(ablation: Ablation, config: TrialConfig) -> Changes | str:
    """What the ablation changes of ``config``, or why it does not apply."""
    used = {f"features.{stream}" for stream in config.used_features}
    changes = ablation.changes(
        {
            name: value
            for name, value in config.fields().items()
            if not name.startswith("features.") or name.rpartition(".")[0] in used
        }
    )
    if isinstance(changes, str):
        return changes
    try:
        config.replace(changes)
    except ConfigError as error:
        return f"the settings refuse it: {error}"
    return changes


def _without(ablation: Ablation, config: TrialConfig) -> TrialConfig:
    changes = _changes(ablation, config)
    return config if isinstance(changes, str) else config.replace(changes)


def _by_fold(experiment: Experiment, name: str) -> dict[str, Changes]:
    """Fold to the fields that are changed there, and their new values."""
    found = {}
    for own, arm in zip(experiment.winner, experiment.changed[name], strict=True):
        before, after = own.config.fields(), arm.config.fields()
        found[str(own.spec.protocol.fold)] = {
            field: value for field, value in after.items() if value != before.get(field)
        }
    return found


def _markdown(name: str, found: Ablations) -> str:
    winner = found["winner"]
    rows = [("(the winner)", "", percent(winner["ua"]["mean"]), "", "")]
    for ablation, entry in found["ablations"].items():
        comparison = entry["comparison"]
        ua, gap = entry["figures"]["ua"]["mean"], 100 * comparison["difference"]
        changes = changes_shown(entry["changes"])
        rows.append((ablation, changes, percent(ua), f"{gap:+.1f}", comparison["verdict"]))
    ua_mark = f"UA{mark(winner.get('transductive', False))}"
    folds = folds_shown(found["winners"])
    lines = [
        f"# {name}: the winner without its parts",
        "",
        f"Trial {found['trial']}, test rows of {folds} "
        f"({winner['protocol']}, {winner['num_speakers']} speakers), three seeds each.",
        "",
        *markdown_table(("without", "changed", ua_mark, "difference", "verdict"), rows),
        "",
        *(f"- {entry['comparison']['sentence']}" for entry in found["ablations"].values()),
        *(f"- {ablation}: skipped, {why}" for ablation, why in found["skipped"].items()),
        *(f"- {note}" for note in winner["notes"]),
    ]
    return "\n".join(lines) + "\n"
