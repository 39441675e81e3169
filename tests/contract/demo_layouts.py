"""The demo corpus' files under the names and labels of every other corpus' layout."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus_trees import (
    PODCAST_COLUMNS,
    emobox_row,
    podcast_row,
    write_improv_labels,
    write_labels,
)
from hugging_face_tree import rows_table, write_parquet

from raysearch.corpora.ravdess import EMOTIONS


@dataclass(frozen=True)
class Take:
    """One demo utterance: actor 1 to 12 (odd: male), emotion, statement, repetition."""

    actor: int
    emotion: str
    statement: int
    repetition: int

    @property
    def stem(self) -> str:
        code = next(code for code, name in EMOTIONS.items() if name == self.emotion)
        end = f"{self.statement:02}-{self.repetition:02}-{self.actor:02}"
        return f"03-01-{code}-01-{end}"

    @property
    def number(self) -> int:
        """1 to 4: statement and repetition in one."""
        return 2 * (self.statement - 1) + self.repetition


TAKES = [
    Take(actor, emotion, statement, repetition)
    for actor in range(1, 13)
    for emotion in EMOTIONS.values()
    for statement in (1, 2)
    for repetition in (1, 2)
]


@dataclass(frozen=True)
class Place:
    """Where a layout puts a take, and whose it is there."""

    path: str
    speaker: str


# Actors (odd numbers are men) and emotions under the names of each corpus that has such ones.
SAVEE_SPEAKERS = {1: "DC", 3: "JE", 5: "JK", 7: "KL"}
SAVEE = {
    "angry": "a",
    "disgust": "d",
    "fearful": "f",
    "happy": "h",
    "neutral": "n",
    "sad": "sa",
    "surprised": "su",
}
CREMA_D_MEN, CREMA_D_WOMEN = (
    (1001, 1005, 1011, 1014, 1015, 1016),
    (1002, 1003, 1004, 1006, 1007, 1008),
)
CREMA_D = {
    "angry": "ANG",
    "disgust": "DIS",
    "fearful": "FEA",
    "happy": "HAP",
    "neutral": "NEU",
    "sad": "SAD",
}
TESS_SPEAKERS = {2: "OAF", 4: "YAF"}
TESS = {
    "angry": "angry",
    "disgust": "disgust",
    "fearful": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "ps",
}
EMODB_SPEAKERS = dict(
    zip(range(1, 11), ["03", "08", "10", "09", "11", "13", "12", "14", "15", "16"], strict=True)
)
EMODB = {"angry": "W", "disgust": "E", "fearful": "A", "happy": "F", "neutral": "N", "sad": "T"}
EMOVO_SPEAKERS = dict(zip(range(1, 7), ("m1", "f1", "m2", "f2", "m3", "f3"), strict=True))
EMOVO = {
    "angry": "rab",
    "disgust": "dis",
    "fearful": "pau",
    "happy": "gio",
    "neutral": "neu",
    "sad": "tri",
    "surprised": "sor",
}
NEMO_SPEAKERS = dict(
    zip(range(1, 10), ("KS0", "EB0", "MP0", "IC0", "SM0", "KD0", "TP0", "MK0", "WR0"), strict=True)
)
NEMO = {
    "angry": "anger",
    "fearful": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprised": "surprised",
}
IEMOCAP = {"angry": "ang", "neutral": "neu", "sad": "sad"}


def ravdess(take: Take) -> Place:
    return Place(f"Actor_{take.actor:02}/{take.stem}.wav", f"{take.actor:02}")


def ravdess_nested(take: Take) -> Place:
    return Place(f"audio_speech_actors_01-24/{ravdess(take).path}", f"{take.actor:02}")


def savee(take: Take) -> Place | None:
    speaker, code = SAVEE_SPEAKERS.get(take.actor), SAVEE.get(take.emotion)
    if speaker is None or code is None:
        return None
    return Place(f"AudioData/{speaker}/{code}{take.number:02}.wav", speaker)


def savee_flat(take: Take) -> Place | None:
    place = savee(take)
    return place and Place("_".join(place.path.split("/")[1:]), place.speaker)


def crema_d(take: Take) -> Place | None:
    code = CREMA_D.get(take.emotion)
    men_or_women = CREMA_D_MEN if take.actor % 2 else CREMA_D_WOMEN
    speaker = str(men_or_women[(take.actor - 1) // 2])
    sentence, level = ("DFA", "IEO")[take.statement - 1], ("XX", "HI")[take.repetition - 1]
    return code and Place(f"AudioWAV/{speaker}_{sentence}_{code}_{level}.wav", speaker)


def tess(take: Take) -> Place | None:
    speaker, code = TESS_SPEAKERS.get(take.actor), TESS.get(take.emotion)
    if speaker is None or code is None:
        return None
    word = ("back", "bite", "lid", "youth")[take.number - 1]
    # The one published name that lost a letter.
    written = "OA" if (speaker, word, code) == ("OAF", "bite", "neutral") else speaker
    return Place(f"{speaker}_{code}/{written}_{word}_{code}.wav", speaker)


def emodb(take: Take) -> Place | None:
    speaker, code = EMODB_SPEAKERS.get(take.actor), EMODB.get(take.emotion)
    if speaker is None or code is None:
        return None
    name = f"{speaker}a0{take.statement}{code}{'ab'[take.repetition - 1]}"
    return Place(f"wav/{name}.wav", speaker)


def emovo(take: Take) -> Place | None:
    speaker, code = EMOVO_SPEAKERS.get(take.actor), EMOVO.get(take.emotion)
    if speaker is None or code is None:
        return None
    sentence = ("b1", "l4", "n5", "d2")[take.number - 1]
    return Place(f"{speaker}/{code}-{speaker}-{sentence}.wav", speaker)


def msp_improv_letter(take: Take) -> str | None:
    return take.emotion[0].upper() if take.emotion in ("angry", "happy", "neutral", "sad") else None


def msp_improv(take: Take) -> Place | None:
    letter = msp_improv_letter(take)
    if letter is None:
        return None
    sex, session = "M" if take.actor % 2 else "F", (take.actor + 1) // 2
    scenario = f"S{take.statement:02}{letter}"
    turn = f"MSP-IMPROV-{scenario}-{sex}{session:02}-R-{sex}{sex}{take.repetition:02}"
    return Place(f"session{session}/{scenario}/R/{turn}.wav", f"{sex}{session:02}")


MSP_PODCAST = {"angry": "A", "disgust": "D", "fearful": "F", "surprised": "U"}


def msp_podcast_letter(take: Take) -> str | None:
    return MSP_PODCAST.get(take.emotion) or msp_improv_letter(take)


def msp_podcast(take: Take) -> Place | None:
    if msp_podcast_letter(take) is None:
        return None
    number = 10 * list(EMOTIONS.values()).index(take.emotion) + take.number
    return Place(f"Audios/MSP-PODCAST_{take.actor:04}_{number:04}.wav", str(take.actor))


def nemo(take: Take) -> Place | None:
    speaker, emotion = NEMO_SPEAKERS.get(take.actor), NEMO.get(take.emotion)
    if speaker is None or emotion is None:
        return None
    return Place(f"samples/{speaker}_{emotion}_{take.number}.wav", speaker)


def iemocap_label(take: Take) -> str | None:
    if take.emotion == "happy":
        return ("hap", "exc")[take.repetition - 1]
    return IEMOCAP.get(take.emotion)


def iemocap(take: Take) -> Place | None:
    if take.actor > 10 or iemocap_label(take) is None:
        return None
    session, letter = f"Ses0{(take.actor + 1) // 2}", "M" if take.actor % 2 else "F"
    # The marked actor is the other one half of the time: it says nothing of the speaker.
    dialogue = f"{session}{'FM'[take.repetition - 1]}_impro0{take.statement}"
    turn = f"{dialogue}_{letter}{100 + list(EMOTIONS.values()).index(take.emotion):03}"
    folder = f"Session{session[-1]}/sentences/wav/{dialogue}"
    return Place(f"{folder}/{turn}.wav", f"{session}_{letter}")


def anywhere(take: Take) -> Place:
    return Place(f"audio/{take.stem}.wav", f"{take.actor:02}")


def emobox(take: Take) -> Place:
    return Place(f"downloads/ravdess/{ravdess(take).path}", f"{take.actor:02}")


LAYOUTS: dict[str, tuple[str, Callable[[Take], Place | None]]] = {
    "audformat": ("audformat", anywhere),
    "crema_d": ("crema_d", crema_d),
    "emobox": ("emobox", emobox),
    "emodb": ("emodb", emodb),
    "emovo": ("emovo", emovo),
    "hugging_face": ("hugging_face", anywhere),
    "iemocap": ("iemocap", iemocap),
    "manifest": ("manifest", anywhere),
    "msp_improv": ("msp_improv", msp_improv),
    "msp_podcast": ("msp_podcast", msp_podcast),
    "nemo": ("nemo", nemo),
    "ravdess": ("ravdess", ravdess),
    "ravdess, nested": ("ravdess", ravdess_nested),
    "savee": ("savee", savee),
    "savee, flat": ("savee", savee_flat),
    "tess": ("tess", tess),
}


def move(layout: str, takes: dict[Take, Path], root: Path) -> tuple[Path, dict[Take, Place]]:
    """Link the expressible ``takes`` into ``root``; returns ``--data`` and where each one is."""
    name, place_of = LAYOUTS[layout]
    places = {
        take: place for take in sorted(takes, key=lambda t: t.stem) if (place := place_of(take))
    }
    for take, place in places.items():
        (root / place.path).parent.mkdir(parents=True, exist_ok=True)
        os.link(takes[take], root / place.path)
    return TABLES.get(name, lambda root, _: root)(root, places), places


def _write_iemocap(root: Path, places: dict[Take, Place]) -> Path:
    labels: dict[str, list[tuple[str, str]]] = {}
    for take, place in places.items():
        path = Path(place.path)
        file = f"{path.parts[0]}/dialog/EmoEvaluation/{path.parent.name}.txt"
        labels.setdefault(file, []).append((path.stem, iemocap_label(take) or ""))
    write_labels(root, labels)
    return root


def _write_msp_improv(root: Path, places: dict[Take, Place]) -> Path:
    labels = [(Path(p.path).stem, msp_improv_letter(take) or "") for take, p in places.items()]
    write_improv_labels(root, labels)
    return root


def _write_msp_podcast(root: Path, places: dict[Take, Place]) -> Path:
    rows = [PODCAST_COLUMNS]
    for take, place in places.items():
        segment = Path(place.path).stem.removeprefix("MSP-PODCAST_")
        sex = "Male" if take.actor % 2 else "Female"
        letter = msp_podcast_letter(take) or ""
        rows.append(podcast_row(segment, letter, place.speaker, sex, "Train"))
    (root / "Labels").mkdir()
    (root / "Labels/labels_consensus.csv").write_text("\n".join(rows))
    return root


def _write_hugging_face(root: Path, places: dict[Take, Place]) -> Path:
    names = list(EMOTIONS.values())
    audio = [((root / place.path).read_bytes(), None) for place in places.values()]
    labels: list[object] = [names.index(take.emotion) for take in places]
    speakers: list[object] = [place.speaker for place in places.values()]
    table = rows_table(audio, {"emotion": labels, "speaker": speakers}, {"emotion": names})
    write_parquet(root / "hub/data/train-00000-of-00001.parquet", table, 7)
    return root / "hub"


def _write_manifest(root: Path, places: dict[Take, Place]) -> Path:
    lines = [f"{place.path},{place.speaker},{take.emotion}" for take, place in places.items()]
    (root / "m.csv").write_text("\n".join(["path,speaker,emotion", *lines]))
    return root / "m.csv"


def _write_emobox(root: Path, places: dict[Take, Place]) -> Path:
    folder = root / "data/ravdess/fold_1"
    folder.mkdir(parents=True)
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for take, place in places.items():
        row = emobox_row(f"ravdess-{take.stem}", "ravdess", place.path, take.emotion)
        rows["test" if take.actor > 9 else "train"].append(row)
    for side, lines in rows.items():
        (folder / f"ravdess_{side}_fold_1.jsonl").write_text("\n".join(lines))
    return root / "data/ravdess"


def _write_audformat(root: Path, places: dict[Take, Place]) -> Path:
    columns = "{emotion: {scheme_id: emotion}, speaker: {scheme_id: speaker}}"
    (root / "db.yaml").write_text(
        "name: demo\ntables:\n  labels:\n    type: filewise\n    columns: " + columns
    )
    lines = [f"{place.path},{take.emotion},{place.speaker}" for take, place in places.items()]
    (root / "db.labels.csv").write_text("\n".join(["file,emotion,speaker", *lines]))
    return root


TABLES: dict[str, Callable[[Path, dict[Take, Place]], Path]] = {
    "audformat": _write_audformat,
    "emobox": _write_emobox,
    "hugging_face": _write_hugging_face,
    "iemocap": _write_iemocap,
    "msp_improv": _write_msp_improv,
    "msp_podcast": _write_msp_podcast,
    "manifest": _write_manifest,
}
