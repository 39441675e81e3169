"""Writes what an evaluation must say of a figure that is transductive."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from raysearch.errors import UserError
from raysearch.streaming.speakers import speakers_of_one
from raysearch.training.transductive import NOTE, is_transductive, mark
from raysearch.trial_config import TrialConfig

__all__ = ["check_alike", "transductive_notes"]


def check_alike(transductive: Mapping[str, bool]) -> None:
    """Raise UserError where transductive figures would stand beside inductive ones.

    Args:
        transductive: a system's name to whether its figures are.
    """
    if len(set(transductive.values())) > 1:
        listed = ", ".join(f"{name}{mark(is_so)}" for name, is_so in transductive.items())
        raise UserError(
            f"{listed}: transductive figures are not compared with inductive ones: name runs of "
            "one kind"
        )


def transductive_notes(config: TrialConfig, tables: Iterable[pa.Table]) -> list[str]:
    """Write the notes that readers of transductive figures need; none for other settings.

    Args:
        config: the settings that were scored.
        tables: predictions of each fold, as ``predict_arm`` gives them.
    """
    if not is_transductive(config):
        return []
    names: list[str] = []
    for table in tables:
        seeds = table["seed"].to_pylist()
        names += [
            f"{corpus}/{speaker}"
            for corpus, speaker, seed in zip(
                table["corpus"].to_pylist(), table["speaker"].to_pylist(), seeds, strict=True
            )
            if seed == seeds[0]
        ]
    alone = speakers_of_one({"test": names})
    return [NOTE, alone] if alone else [NOTE]
