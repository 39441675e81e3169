"""What a winner owes to each of its parts: the ablations that the papers name, by the rules.

An ablation changes settings of the run's winner and nothing else. It is retrained with three
seeds on the run's fold, over as many epochs, its epoch chosen by validation, and scored on test
beside the winner. A difference is claimed as ``compare`` allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.compare import compare_all
from raysearch.evaluation.evaluate import best_record, winner_arm
from raysearch.evaluation.figures import Ablations, Where
from raysearch.evaluation.markdown import markdown_table, percent
from raysearch.evaluation.named_ablations import ABLATIONS, Changes, check_names
from raysearch.evaluation.run_arms import run_arms
from raysearch.evaluation.scores import score
from raysearch.evaluation.transductive_notes import transductive_notes
from raysearch.files import write_json, write_text
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import trial_identity
from raysearch.training.checkpoint import load_json
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_config import TrialConfig
from raysearch.tuning.tuner import Watcher

__all__ = ["ablate", "stored_ablations"]


def stored_ablations(run: RunFolder) -> Ablations | None:
    """What was found before; None if nothing was, or if a resumed search has a new winner."""
    path = run.root / "ablations.json"
    found = load_json(path) if path.exists() else {}
    return cast("Ablations", found) if found.get("trial") == best_record(run).trial else None


def ablate(
    run: RunFolder,
    lease: Lease,
    session: ClusterSession,
    *,
    names: Sequence[str] = (),
    storage: Path,
    watcher: Watcher,
) -> Ablations:
    """Retrain and score the winner without each part; what is stored is not done again.

    Args:
        run: a searched run.
        lease: of its folder.
        session: the connected Ray.
        names: which ablations; none given: all.
        storage: where features are kept.
        watcher: who is told.

    Returns:
        ``winner`` and ``ablations``: name to ``changes``, figures and comparison; ``skipped``:
        name to reason.

    Raises:
        UserError: no such ablation, or a winner that none applies to.
    """
    check_names(names)
    own = winner_arm(run, run.spec(), storage)
    changed, skipped = _applicable(own.config, names)
    arms = {"winner": own, **{name: _arm(run, own, name, c) for name, (_, c) in changed.items()}}
    if len(arms) == 1:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        raise UserError(f"{run.root}: nothing to ablate ({reasons})")
    _, results = run_arms(
        list(arms.values()),
        own.spec,
        run,
        lease,
        session,
        line=lambda times: f"retraining {len(arms)} arms: {times} times",
        storage=storage,
        watcher=watcher,
    )
    tables = {name: table for name, (table, _) in zip(arms, results, strict=True)}
    changes = {name: change for name, (change, _) in changed.items()}
    found = _found(arms, tables, changes, skipped)
    write_json(run.root / "ablations.json", found)
    write_text(run.root / "ablations.md", _markdown(run.root.name, found))
    return found


def _applicable(
    config: TrialConfig, names: Sequence[str]
) -> tuple[dict[str, tuple[Changes, TrialConfig]], dict[str, str]]:
    """What each ablation changes and the settings it gives; and why the others do not apply."""
    used = {f"features.{stream}" for stream in config.used_features}
    fields = {
        name: value
        for name, value in config.fields().items()
        if not name.startswith("features.") or name.rpartition(".")[0] in used
    }
    changed, skipped = {}, {}
    for ablation in ABLATIONS:
        if names and ablation.name not in names:
            continue
        changes = ablation.changes(fields)
        if isinstance(changes, str):
            skipped[ablation.name] = changes
            continue
        try:
            changed[ablation.name] = changes, config.replace(changes)
        except ConfigError as error:
            skipped[ablation.name] = f"the settings refuse it: {error}"
    return changed, skipped


def _arm(run: RunFolder, own: Arm, name: str, config: TrialConfig) -> Arm:
    search = own.spec.search
    identity = trial_identity(
        config,
        own.audited.split.identity(
            speakers=config.training.by_speaker, votes=config.training.by_votes
        ),
        search.workers_of_identity,
        search.seed,
    )
    folder = run.root / "ablations" / name
    return replace(own, config=config, identity=identity, searched=(), folder=folder)


def _found(
    arms: Mapping[str, Arm],
    tables: Mapping[str, pa.Table],
    changes: Mapping[str, Changes],
    skipped: dict[str, str],
) -> Ablations:
    own = arms["winner"]
    where: Where = {"fold": own.audited.split.fold, "transductive": is_transductive(own.config)}
    figures = {
        name: score(
            table,
            protocol=own.spec.protocol.name,
            where=where,
            notes=transductive_notes(own.config, [table]),
        )
        for name, table in tables.items()
    }
    compared = {one.first: one.to_dict() for one in compare_all(tables)}
    return {
        "trial": own.identity,
        "winner": figures["winner"],
        "ablations": {
            name: {"changes": change, "figures": figures[name], "comparison": compared[name]}
            for name, change in changes.items()
        },
        "skipped": skipped,
    }


def _markdown(name: str, found: Ablations) -> str:
    winner = found["winner"]
    rows = [("(the winner)", "", percent(winner["ua"]["mean"]), "", "")]
    for ablation, entry in found["ablations"].items():
        comparison = entry["comparison"]
        changes = ", ".join(f"{field}={value}" for field, value in entry["changes"].items())
        gap, verdict = f"{100 * comparison['difference']:+.1f}", comparison["verdict"]
        rows.append((ablation, changes, percent(entry["figures"]["ua"]["mean"]), gap, verdict))
    ua = f"UA{mark(winner.get('transductive', False))}"
    lines = [
        f"# {name}: the winner without its parts",
        "",
        f"Trial {found['trial']}, test rows of fold {winner['fold']} ({winner['protocol']}, "
        f"{winner['num_speakers']} speakers), three seeds each.",
        "",
        *markdown_table(("without", "changed", ua, "difference", "verdict"), rows),
        "",
        *(f"- {entry['comparison']['sentence']}" for entry in found["ablations"].values()),
        *(f"- {ablation}: skipped, {why}" for ablation, why in found["skipped"].items()),
        *(f"- {note}" for note in winner["notes"]),
    ]
    return "\n".join(lines) + "\n"
