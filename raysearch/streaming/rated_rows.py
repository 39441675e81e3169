"""Which dimensions a search predicts, and which recordings were rated on them."""

from dataclasses import replace

from raysearch.corpora.utterance import DIMENSIONS, Corpus, Dropped
from raysearch.errors import ConfigError, UserError
from raysearch.spec import SearchSpec
from raysearch.training.training_sections import TrainingConfig

__all__ = ["rated_rows", "refuse_dimensions"]


def rated_rows(
    training: TrainingConfig, corpus: Corpus
) -> tuple[Corpus, tuple[str, ...], tuple[str, ...]]:
    """The recordings that ``training`` can learn from.

    Returns:
        The corpus, without the recordings that lack a rating, where dimensions are predicted; which
        these are, in their usual order; and notes for a reader of results.

    Raises:
        ConfigError: no recording has the ratings.
    """
    if not training.by_dimensions:
        return corpus, (), ()
    known = {name for row in corpus.utterances for name, _ in row.ratings}
    wanted = tuple(n for n in DIMENSIONS if n in (training.dimensions or known))
    kept = [row for row in corpus.utterances if {*wanted} <= dict(row.ratings).keys()]
    if not known or not kept:
        what = " and ".join(wanted) or "arousal, valence or dominance"
        raise ConfigError(
            f"training.task is 'dimensions', and no recording of {corpus.name} is rated on {what}: "
            "give a manifest with columns of these names (docs/your-own-corpus.md), or set "
            f"training.dimensions to some of: {', '.join(sorted(known)) or 'none is there'}"
        )
    left_out = [
        Dropped(row.path, f"without ratings of {', '.join(wanted)}")
        for row in corpus.utterances
        if not {*wanted} <= dict(row.ratings).keys()
    ]
    whole = replace(
        corpus, utterances=tuple(kept), dropped=tuple(sorted([*corpus.dropped, *left_out], key=_of))
    )
    note = f"{len(left_out)} recording(s) without ratings of {', '.join(wanted)} left out"
    return whole, wanted, (note,) if left_out else ()


def _of(one: Dropped) -> tuple[str, str]:
    return one.path, one.reason


def refuse_dimensions(spec: SearchSpec, what: str) -> None:
    """Raise UserError if ``spec`` predicts dimensions, which the verb ``what`` does not know."""
    if spec.training.by_dimensions:
        raise UserError(
            f"{what} is of emotions, and this search predicts dimensions (training.task):"
            " raysearch evaluate scores it"
        )
