"""Writes what must stand beside an evaluation's figures: whatever limits what may be claimed."""

from collections.abc import Sequence

import pyarrow as pa

from raysearch.evaluation.arm import Arm
from raysearch.evaluation.figures import Mode
from raysearch.evaluation.starting_point import start_notes
from raysearch.evaluation.transductive_notes import transductive_notes
from raysearch.run_folder import RACE, RunFolder

__all__ = ["evaluation_notes", "race_notes"]


def evaluation_notes(
    run: RunFolder,
    mode: Mode,
    arms: Sequence[Arm],
    results: Sequence[tuple[pa.Table, dict[str, str]]],
    *,
    final: bool = True,
) -> list[str]:
    """Write the notes, a sentence each.

    Args:
        run: the searched run.
        mode: what was scored.
        arms: the models that were.
        results: of each of them its predictions, and the rows that were unusable, with the reason.
        final: whether, in a searched fold, the models are the final ones.
    """
    return [
        *dict.fromkeys(note for arm in arms for note in arm.audited.split.notes),
        *_choice_notes(mode, arms, final),
        *_row_notes(arms, results),
        *transductive_notes(arms[0].config, [table for table, _ in results]),
        *_label_notes(arms),
        *start_notes(run),
        *race_notes(run, mode),
    ]


def race_notes(run: RunFolder, mode: Mode) -> list[str]:
    """Whoever won a race was chosen on one fold, whose speakers the other folds test."""
    raced = (run.root.parent / RACE).is_file() and mode in ("nested", "reuse-settings")
    return ["the system saw these speakers: it won a race on one fold"] if raced else []


def _choice_notes(mode: Mode, arms: Sequence[Arm], final: bool) -> list[str]:
    """How the models and their settings were chosen, and what that knew of the test rows."""
    notes = []
    if mode == "reuse-settings":
        notes.append("settings saw these speakers: chosen on one fold, used on the others")
    if mode == "paper":
        notes.append(arms[0].spec.published.protocol_note)
    if final and mode in ("fold", "nested"):
        methods = ", ".join(dict.fromkeys(arm.method for arm in arms))
        notes.append(f"final model: {methods}, chosen by inner validation")
    if any(arm.audited.audit.verdict == "optimistic" for arm in arms):
        notes.append("optimistic: test speakers, texts or both occur in training")
    warm = arms[0].spec.search.warm_start
    if warm and warm.saw_test:
        origins = ", ".join(origin.run for origin in warm.origins)
        notes.append(f"settings saw these speakers: warm start from {origins}")
    return notes


def _row_notes(
    arms: Sequence[Arm], results: Sequence[tuple[pa.Table, dict[str, str]]]
) -> list[str]:
    """Which test rows could not be scored, or only be scored wrong."""
    notes = []
    unusable = {name: why for _, missing in results for name, why in missing.items()}
    if unusable:
        name, why = next(iter(unusable.items()))
        notes.append(f"{len(unusable)} test utterance(s) unusable, as {name}: {why}")
    for arm, (table, _) in zip(arms, results, strict=True):
        if arm.audited.split.dimensions:
            continue
        known = set(arm.audited.split.labels)
        unseen = sorted(set(table["emotion"].to_pylist()) - known)
        if unseen:
            notes.append(f"never seen in training, always counted wrong: {', '.join(unseen)}")
    return notes


def _label_notes(arms: Sequence[Arm]) -> list[str]:
    shuffled = arms[0].spec.corpus.shuffle_labels
    return ["labels were shuffled: chance is the expected score"] if shuffled else []
