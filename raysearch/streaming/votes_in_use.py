"""Whether a search depends on the votes for labels, and whether there are any."""

from raysearch.config.metric_table import metric_of
from raysearch.errors import ConfigError, UserError
from raysearch.protocols.splits import Split
from raysearch.spec import SearchSpec

__all__ = ["check_votes", "refuse_votes", "require_votes", "votes_field"]

_TARGETS = "training.targets"


def votes_field(spec: SearchSpec) -> str | None:
    """Which field makes trials learn, or be chosen, by votes; None if none does."""
    if metric_of(spec.search.objective).of_votes:
        return "search.objective"
    searched = spec.space.fields.get(_TARGETS, ())
    values = [value for one in searched for value in one.distribution.values() or ()]
    return _TARGETS if spec.training.by_votes or "distribution" in values else None


def check_votes(spec: SearchSpec, split: Split) -> None:
    """Refuse a search that depends on votes where there are none.

    Raises:
        ConfigError: no training or validation row of ``split`` has any.
    """
    if field := votes_field(spec):
        require_votes(field, spec.corpus.name, split)


def require_votes(field: str, corpus: str, split: Split) -> None:
    """Raise ConfigError, which names ``field``, if no row of ``split`` to learn from has votes."""
    if not any(row.votes for row in (*split.train, *split.validation)):
        raise ConfigError(
            f"{field} is by votes, and no recording of {corpus} has any: read some by "
            "corpus.vote_columns, a column annotator or corpus.perceived (docs/your-own-corpus.md)"
        )


def refuse_votes(spec: SearchSpec, what: str) -> None:
    """Raise UserError if ``spec`` depends on votes, which the verb ``what`` does not know."""
    if field := votes_field(spec):
        raise UserError(f"{what} learns from labels and is judged by them: no {field} by votes")
