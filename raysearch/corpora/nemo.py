"""nEMO: 9 Polish actors, 6 emotions, 90 sentences (Christop 2024).

A name is speaker, emotion, sentence: ``samples/WR0_surprised_64.wav``. What is said stands in
``data.tsv`` beside the folder ``samples``; without it the text is the sentence's number. The Hub
has the same corpus as Parquet files, which ``hugging_face`` reads. Letters may be in either case.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from raysearch.corpora.outside_tables import check_size, read_table
from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["Nemo"]

_EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
_SEXES = {
    "EB0": "female",
    "IC0": "female",
    "KD0": "female",
    "KS0": "male",
    "MK0": "female",
    "MP0": "male",
    "SM0": "male",
    "TP0": "male",
    "WR0": "male",
}
_TABLE = "data.tsv"
_NAME = re.compile(r"([A-Z]{2}\d)_([a-z]+)_(\d{1,2})", re.IGNORECASE | re.ASCII)


class Nemo(NamedFilesParser):
    """nEMO as its repository holds it, or its files in any folder."""

    name = "nemo"
    expects = "nEMO audio such as samples/WR0_surprised_64.wav"
    source = "https://github.com/amu-cai/nEMO (CC BY-NC-SA 4.0)"
    licence = "nEMO: CC BY-NC-SA 4.0; models trained on it are for non-commercial use."
    original_rate = 24_000

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Every file below ``root``, with what is said where ``data.tsv`` tells it.

        Raises:
            ConfigError: ``data.tsv`` is no such table.
        """
        texts = _texts(root / _TABLE)
        for found in super().find(root):
            if isinstance(found, Entry):
                yield replace(found, text=texts.get(found.id, found.text))
            elif Path(found.path) != root / _TABLE:
                yield found

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is the name as published, ``WR0_surprised_64``."""
        match = _NAME.fullmatch(path.stem)
        if match is None or match[1].upper() not in _SEXES:
            return Dropped(str(path), "not a nEMO name")
        speaker, emotion, sentence = match[1].upper(), match[2].lower(), match[3]
        if emotion not in _EMOTIONS:
            return unknown_code(path, match[2])
        return Entry(
            path=path,
            id=f"{speaker}_{emotion}_{sentence}",
            speaker=speaker,
            emotion=emotion,
            text=sentence,
            sex=_SEXES[speaker],
            language="polish",
        )


def _texts(table: Path) -> dict[str, str]:
    """Id to what is said; empty without the table."""
    if not table.is_file():
        return {}
    check_size(table)
    rows = read_table(table, ("file_id", "raw_text"))
    return {Path(row.cells["file_id"]).stem: row.cells["raw_text"] for row in rows}
