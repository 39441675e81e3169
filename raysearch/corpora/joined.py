"""Several corpora as one: their own ids and speakers, the classes that all of them have."""

from collections.abc import Sequence
from dataclasses import replace

from raysearch.corpora.labels import keep_classes
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError

__all__ = ["joined"]


def joined(corpora: Sequence[Corpus], *, all_classes: bool = False) -> Corpus:
    """The utterances of all ``corpora``; their classes are already common ones.

    Ids, speakers and sessions become ``<corpus>/<id>``; ``Utterance.corpus`` stays. A class that
    one corpus lacks would give that corpus away, so only shared classes are kept, unless nothing
    is tested on them, or no class is predicted. The columns ``fold`` and ``split`` are kept only
    if every corpus has them.

    Args:
        corpora: at least one.
        all_classes: keep the classes that any corpus has.

    Raises:
        ConfigError: two corpora of one name, or no class that all have.
    """
    names = [corpus.name for corpus in corpora]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"corpus.name names {name!r} twice: join its data into one folder")
    classes = [set(corpus.emotions) for corpus in corpora]
    shared = set.union(*classes) if all_classes else set.intersection(*classes)
    if not shared:
        listed = "; ".join(f"{one.name}: {', '.join(one.emotions)}" for one in corpora)
        raise ConfigError(f"no class is in every corpus ({listed}): give a corpus.label_map")
    parts = [keep_classes(one, tuple(shared), "not in every corpus") for one in corpora]
    rows = [_prefixed(row) for part in parts for row in part.utterances]
    if any(row.fold is None for row in rows):
        rows = [replace(row, fold=None) for row in rows]
    if any(row.split is None for row in rows):
        rows = [replace(row, split=None) for row in rows]
    return Corpus(
        name="+".join(names),
        root=", ".join(corpus.root for corpus in corpora),
        utterances=tuple(sorted(rows, key=lambda row: row.id)),
        dropped=tuple(item for part in parts for item in part.dropped),
    )


def _prefixed(row: Utterance) -> Utterance:
    return replace(
        row,
        id=f"{row.corpus}/{row.id}",
        speaker=f"{row.corpus}/{row.speaker}",
        session=f"{row.corpus}/{row.session}" if row.session else None,
    )
