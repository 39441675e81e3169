"""What a race would do, before it does it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from raysearch.cli.dry_run import epoch_seconds
from raysearch.prerequisites import feature_sets
from raysearch.race.budget_amounts import in_words, part
from raysearch.race.race_record import RaceState
from raysearch.race.verdicts import OWN_SHARE, num_rounds
from raysearch.reporting.sentences import print_sentence
from raysearch.reporting.wording import counted
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import prepare_split

__all__ = ["explain_race"]


def explain_race(
    specs: Mapping[str, SearchSpec],
    state: RaceState,
    total: Mapping[str, float],
    notes: Sequence[str],
    storage: Path,
    console: Console,
) -> int:
    """Print the plan, and an estimate measured here; nothing is started.

    Args:
        specs: system to its settings.
        state: the race's record; one that was begun says how far it is.
        total: its budget.
        notes: of the options.
        storage: where the demo corpus is kept.
        console: where to.

    Raises:
        UserError, DataError: as the race itself would.
    """
    audited = prepare_split(next(iter(specs.values())), storage)
    split = audited.split

    def say(line: str) -> None:
        print_sentence(console, line)

    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in split.sides())
    spec = next(iter(specs.values()))
    say(f"corpus {spec.corpus.name}, {split.protocol} fold {split.fold}: {sizes}")
    for line in audited.audit.brief():
        say(line)
    say(f"race of {len(specs)} systems on {in_words(total)}")
    for line in notes:
        say(line)
    core_s = {}
    for system, one in specs.items():
        epochs = one.training.epochs
        core_s[system] = epoch_seconds(one.base, split) * epochs * (1 + len(audited.inner))
        say(
            f"  {system}: {counted(len(feature_sets(one)), 'feature set')}, "
            f"{counted(len(one.space.fields), 'searched field')}, its own settings "
            f"{counted(epochs, 'epoch')} in about {core_s[system] / 60:.1f} core-minutes"
        )
    for system, why in state.left_out.items():
        say(f"left out: {system}: {why}")
    for line in _rounds(len(specs), total):
        say(line)
    if sum(core_s.values()) > OWN_SHARE * total.get("core_s", float("inf")):
        say(
            f"all own settings together take about {sum(core_s.values()) / 60:.0f} core-minutes: "
            "those that do not end in their share are not judged by it"
        )
    if state.rounds:
        done = sum(bool(one.places) for one in state.rounds)
        say(f"it was begun: {done} round(s) are over" + ("; it is over" if state.over else ""))
    return 0


def _rounds(num_systems: int, total: Mapping[str, float]) -> list[str]:
    last = num_rounds(num_systems)
    if last == 1:
        return ["one system: all of the budget is its own"]
    half = in_words(part(total, OWN_SHARE))
    return [
        f"round 1 of {last}: each system's own settings, at most {half}",
        f"rounds 2 to {last}: what is left in equal parts, those that stay searching on; out is who"
        " is clearly behind, or the budget does not reach for",
        "before the last: who was too dear to be judged has a second chance, if half of what is"
        " left then is enough",
        "at the end: the winner's final model",
    ]
