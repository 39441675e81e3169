"""EmoBox's folds: 32 corpora as JSONL lists of training and test rows (Ma et al. 2024).

``data/<dataset>/fold_<n>/<dataset>_{train,valid,test}_fold_<n>.jsonl``, one row a line::

    {"key": "savee-DC-a01", "dataset": "savee", "wav": "downloads/savee/DC_a01.wav",
     "type": "raw", "length": 3.9, "emo": "a", ...}

``--data`` is a dataset's folder (its folds become the column ``fold``), one fold's folder (its
lists become the column ``split``) or one list. Labels go through the dataset's ``label_map.json``.
A row names no speaker: it is taken from a key ``speaker`` if there is one, from the file's name
for the corpora that are known here, else from the dataset's ``data.seg.wrd.stm``. Audio lies where
EmoBox's own scripts expect it, below ``downloads`` beside ``data``; ``downloads`` may be a link.
EmoBox's folds of CREMA-D, TESS and EMO-DB share speakers: the audit will say so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from raysearch.corpora.emobox_files import Item, Listing, items, label_map, listings, stm_speakers
from raysearch.corpora.emobox_names import named_entry
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, MissingPathError
from raysearch.paths import existing, near_spelling

__all__ = ["EmoBox"]

# fold_<n>, the dataset, data, EmoBox: no list lies deeper below the folder of `downloads`.
_MAX_LEVELS_UP = 4


class EmoBox(CorpusParser):
    """Rows of EmoBox's lists, with audio from wherever the corpora were put."""

    name = "emobox"
    distributed = False
    expects = "EmoBox lists such as data/savee/fold_1/savee_train_fold_1.jsonl"
    source = (
        "https://github.com/emo-box/EmoBox (its lists; the audio comes from each corpus'"
        " publisher, under that corpus' licence)"
    )

    def locate(self, data: str | None, storage: Path) -> Path:
        """A dataset's or fold's folder, or one ``.jsonl`` list, absolute.

        Raises:
            ConfigError: no ``data``, or another kind of file.
            MissingPathError: there is nothing at ``data``.
        """
        path = existing(data) if data is not None else None
        if path is not None and path.is_file():
            if path.suffix != ".jsonl":
                raise ConfigError(f"--data {data}: neither a folder of EmoBox's nor a .jsonl list")
            return path
        return super().locate(data, storage)

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """One entry a row; the id is the row's key.

        Raises:
            ConfigError: a damaged row, a key twice, no speaker; the message names file and line.
            MissingPathError: a row's audio is not there.
        """
        lists = listings(root)
        dataset = _dataset_folder(root)
        reader = _Reader(dataset, label_map(dataset), stm_speakers(dataset))
        seen: dict[str, str] = {}
        for listing in (one for one in lists if one.used):
            for item in items(listing.path):
                if item.key in seen:
                    raise ConfigError(f"{item.place}: {item.key!r} is already in {seen[item.key]}")
                seen[item.key] = item.place
                yield reader.entry(item, listing)
        for listing in (one for one in lists if not one.used):
            for item in items(listing.path):
                if item.key not in seen:
                    seen[item.key] = item.place
                    yield Dropped(item.wav, "in no fold's test list")


def _dataset_folder(root: Path) -> Path:
    folder = root.parent if root.is_file() else root
    return folder.parent if folder.name.startswith("fold_") else folder


@dataclass(frozen=True)
class _Reader:
    """What turns a row of one dataset into an entry."""

    folder: Path
    labels: dict[str, str] | None
    speakers: dict[str, str]

    def entry(self, item: Item, listing: Listing) -> Entry:
        path = self._audio(item, listing.path)
        known = named_entry(item.dataset, path)
        speaker = item.speaker or (known and known.speaker) or self.speakers.get(item.key)
        if not speaker:
            raise ConfigError(
                f"{item.place}: no speaker of {item.key!r}: {item.dataset!r} is no corpus whose"
                " names are known here, the row has no key 'speaker', and neither has"
                f" {self.folder / 'data.seg.wrd.stm'}"
            )
        base = known or Entry(path=path, id=item.key, speaker=speaker, emotion="")
        return replace(
            base,
            id=item.key,
            speaker=speaker,
            emotion=self._emotion(item),
            fold=listing.fold,
            split=listing.split,
        )

    def _emotion(self, item: Item) -> str:
        if self.labels is None:
            return item.emotion
        if item.emotion not in self.labels:
            raise ConfigError(
                f"{item.place}: the label {item.emotion!r} is not in the label map of {self.folder}"
            )
        return self.labels[item.emotion]

    def _audio(self, item: Item, listing: Path) -> Path:
        written = Path(item.wav)
        if "\0" in item.wav or ".." in written.parts:
            raise ConfigError(f"{item.place}: {item.wav!r} is not a path to audio")
        near = None
        for parent in [*listing.parents][:_MAX_LEVELS_UP]:
            # The user's own link may lead elsewhere; what lies below it may not.
            try:
                inside, path = existing(written.parts[0], parent), existing(item.wav, parent)
            except ConfigError as error:
                raise ConfigError(f"{item.place}: {error}") from None
            if path is not None and path.is_file():
                leaves = inside is None or not path.is_relative_to(inside)
                if not written.is_absolute() and leaves:
                    raise ConfigError(f"{item.place}: {item.wav!r} is a link that leaves {inside}")
                return path
            near = near or near_spelling(parent / written)
        hint = f"; there is {near}: only its letter case differs" if near else ""
        raise MissingPathError(
            f"{item.place}: {item.wav!r} is in none of the {_MAX_LEVELS_UP} folders above the"
            f" list: put the audio, or a link to it, where EmoBox expects it{hint}"
        )
