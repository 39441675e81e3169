"""The columns by which a run's test rows are told apart: sex, language, others of a manifest.

They are read from the corpus again, not from stored predictions: so a run that was evaluated long
ago can be asked by a column that its manifest has had since yesterday only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from raysearch.config.base import did_you_mean
from raysearch.corpora.corpus_table import CorpusConfig, located
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.errors import UserError
from raysearch.storage.corpora import fetch_corpus

__all__ = ["MAX_VALUES", "group_columns"]

MAX_VALUES = 20
_OF_ENTRIES = ("sex", "language", "session", "text")
_CORPUS = "corpus"


def group_columns(
    config: CorpusConfig, storage: Path, wanted: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Each wanted column's values: utterance id to value, without the rows that have none.

    Args:
        config: the ``corpus`` section of a run.
        storage: where features are kept.
        wanted: names of columns, each once.

    Raises:
        UserError: no utterance has such a column, or all have one value, or it has more than
            ``MAX_VALUES``, or rows of one recording differ in it; or the corpus cannot be read.
    """
    if config.data:
        config = config.model_copy(update={"data": fetch_corpus(config.data)})
    members = located(config, storage)
    found: dict[str, dict[str, str]] = {}
    for parser, root in members:
        prefix = f"{parser.name}/" if len(members) > 1 else ""
        for column, values in _values(parser, root, wanted).items():
            found.setdefault(column, {}).update(
                {f"{prefix}{name}": value for name, value in values.items()}
            )
    for column in wanted:
        _check(column, found)
    return {column: found[column] for column in wanted}


def _values(parser: CorpusParser, root: Path, wanted: Sequence[str]) -> dict[str, dict[str, str]]:
    """All columns of one corpus; of further ones only the wanted, the others are empty."""
    entries = [found for found in parser.find(root) if isinstance(found, Entry)]
    columns: dict[str, dict[str, str]] = {_CORPUS: {one.id: parser.name for one in entries}}
    for name in _OF_ENTRIES:
        values = {one.id: value for one in entries if (value := getattr(one, name))}
        if values:
            columns[name] = values
    own = parser.further_columns(root)
    columns |= {name: {} for name in own}
    further = [name for name in wanted if name in own]
    for identity, cells in parser.further_cells(root, further) if further else ():
        for name, value in cells.items():
            if value and columns[name].setdefault(identity, value) != value:
                raise UserError(
                    f"--by {name}: {identity} has {columns[name][identity]!r} in one row and "
                    f"{value!r} in another: a column of annotators tells no recordings apart"
                )
    return columns


def _check(column: str, found: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a column by which nothing can be compared."""
    if column not in found:
        names = sorted(set(found) - {_CORPUS})
        listed = f"there are {', '.join(names)}" if names else "the corpus has none"
        raise UserError(f"--by {column}: no such column{_near(column, names)}: {listed}")
    values = sorted(set(found[column].values()))
    if len(values) < 2:
        only = f"every utterance is {values[0]!r}" if values else "no utterance has a value"
        raise UserError(f"--by {column}: {only}: there is nothing to compare")
    if len(values) > MAX_VALUES:
        shown = ", ".join(values[:3])
        raise UserError(
            f"--by {column}: {len(values)} values ({shown}, ...): at most {MAX_VALUES} make "
            "groups: unite them in another column, such as ranges of an age"
        )


def _near(column: str, names: Sequence[str]) -> str:
    hint = did_you_mean(column, names)
    return hint if "did you mean" in hint else ""
