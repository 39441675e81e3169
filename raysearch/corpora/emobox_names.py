"""EmoBox's names of the corpora that are known here, and what a file's name says in each."""

from pathlib import Path

from raysearch.corpora.crema_d import CremaD
from raysearch.corpora.emodb import EmoDb
from raysearch.corpora.emovo import Emovo
from raysearch.corpora.iemocap import turn_entry
from raysearch.corpora.parser import Entry, NamedFilesParser
from raysearch.corpora.ravdess import Ravdess
from raysearch.corpora.savee import Savee
from raysearch.corpora.tess import Tess

__all__ = ["named_entry"]

_PARSERS: dict[str, type[NamedFilesParser]] = {
    "cremad": CremaD,
    "emodb": EmoDb,
    "emovo": Emovo,
    "ravdess": Ravdess,
    "savee": Savee,
    "tess": Tess,
}


def named_entry(dataset: str, path: Path) -> Entry | None:
    """What the name of ``path`` says in the corpus that EmoBox calls ``dataset``, if anything."""
    name = dataset.lower().replace("-", "").replace("_", "")
    if name == "iemocap":
        # EmoBox takes the letter before the dialogue for the speaker, which is the marked actor.
        return turn_entry(path, "")
    if name not in _PARSERS:
        return None
    found = _PARSERS[name]().entry(path)
    return found if isinstance(found, Entry) else None
