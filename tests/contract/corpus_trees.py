"""Small trees with the corpora's real names and quirks, as published and as mirrors have them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from hugging_face_tree import rows_table, write_parquet


@dataclass(frozen=True)
class Sample:
    """A file in the official layout and in a mirror's, and what its labels are."""

    official: str
    mirrored: str
    id: str
    speaker: str
    emotion: str
    text: str
    sex: str


DOOR = "by the door"
NAMED: dict[str, list[Sample]] = {
    "crema_d": [
        Sample(
            "AudioWAV/1001_DFA_ANG_XX.wav",
            "1001_DFA_ANG_XX.wav",
            "1001_DFA_ANG_XX",
            "1001",
            "anger",
            "Don't forget a jacket",
            "male",
        ),
        Sample(
            "AudioWAV/1040_ITH_SAD_X.wav",
            "CREMA-D/1040_ITH_SAD_X.wav",
            "1040_ITH_SAD_X",
            "1040",
            "sad",
            "I think I have a doctor's appointment",
            "male",
        ),
        Sample(
            "AudioWAV/1091_IEO_HAP_LO.wav",
            "CREMA-D/1091_IEO_HAP_LO.wav",
            "1091_IEO_HAP_LO",
            "1091",
            "happy",
            "It's eleven o'clock",
            "female",
        ),
    ],
    "emodb": [
        Sample(
            "wav/03a01Wa.wav",
            "03a01Wa.wav",
            "03a01Wa",
            "03",
            "anger",
            "Der Lappen liegt auf dem Eisschrank.",
            "male",
        ),
        Sample(
            "wav/16a02Lb.wav",
            "EmoDB/wav/16a02Lb.wav",
            "16a02Lb",
            "16",
            "boredom",
            "Das will sie am Mittwoch abgeben.",
            "female",
        ),
    ],
    "emovo": [
        Sample("EMOVO/f2/gio-f2-b2.wav", "gio-f2-b2.wav", "gio-f2-b2", "f2", "joy", "b2", "female"),
        Sample(
            "EMOVO/m1/tri-m1-n5.wav",
            "wav/tri-m1-n5.WAV",
            "tri-m1-n5",
            "m1",
            "sadness",
            "n5",
            "male",
        ),
        Sample(
            "EMOVO/m3/sor-m3-d1.wav", "SOR-M3-D1.wav", "sor-m3-d1", "m3", "surprise", "d1", "male"
        ),
    ],
    "iemocap": [
        Sample(
            "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav",
            "wav/Ses01F_impro04_F000.wav",
            "Ses01F_impro04_F000",
            "Ses01_F",
            "neutral",
            "impro04",
            "female",
        ),
        Sample(
            "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_M001.wav",
            "wav/Ses01F_impro04_M001.wav",
            "Ses01F_impro04_M001",
            "Ses01_M",
            "happy",
            "impro04",
            "male",
        ),
        Sample(
            "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_F003.wav",
            "wav/Ses05M_script01_1b_F003.wav",
            "Ses05M_script01_1b_F003",
            "Ses05_F",
            "angry",
            "script01_1b",
            "female",
        ),
    ],
    "msp_improv": [
        Sample(
            "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
            "Audio/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
            "MSP-IMPROV-S01A-F01-P-FM01",
            "F01",
            "neutral",
            "S01A",
            "female",
        ),
        Sample(
            "session2/S01A/R/MSP-IMPROV-S01A-F02-R-FF01.wav",
            "wav/MSP-IMPROV-S01A-F02-R-FF01.wav",
            "MSP-IMPROV-S01A-F02-R-FF01",
            "F02",
            "anger",
            "S01",
            "female",
        ),
        Sample(
            "session6/S15H/S/MSP-IMPROV-S15H-M06-S-MF12.wav",
            "wav/msp-improv-s15h-m06-s-mf12.WAV",
            "MSP-IMPROV-S15H-M06-S-MF12",
            "M06",
            "happiness",
            "S15H",
            "male",
        ),
    ],
    "nemo": [
        Sample(
            "samples/EB0_neutral_13.wav",
            "nEMO/EB0_neutral_13.flac",
            "EB0_neutral_13",
            "EB0",
            "neutral",
            "Interesuje mnie historia Polski.",
            "female",
        ),
        Sample(
            "samples/KS0_surprised_38.wav",
            "nEMO/samples/ks0_surprised_38.WAV",
            "KS0_surprised_38",
            "KS0",
            "surprised",
            "„Ród smoka” to serial telewizyjny.",
            "male",
        ),
        Sample(
            "samples/WR0_happiness_4.wav",
            "nEMO/samples/WR0_happiness_4.wav",
            "WR0_happiness_4",
            "WR0",
            "happiness",
            "Dzieci muszą dużo jeść.",
            "male",
        ),
    ],
    "ravdess": [
        Sample(
            "Actor_01/03-01-04-02-01-02-01.wav",
            "audio_speech_actors_01-24/Actor_01/03-01-04-02-01-02-01.wav",
            "03-01-04-02-01-02-01",
            "01",
            "sad",
            f"Kids are talking {DOOR}",
            "male",
        ),
        Sample(
            "Actor_24/03-01-02-01-02-01-24.wav",
            "03-01-02-01-02-01-24.wav",
            "03-01-02-01-02-01-24",
            "24",
            "calm",
            f"Dogs are sitting {DOOR}",
            "female",
        ),
    ],
    "savee": [
        Sample(
            "AudioData/DC/sa01.wav", "ALL/DC_sa01.wav", "DC_sa01", "DC", "sadness", "sa01", "male"
        ),
        Sample("AudioData/JE/a15.wav", "JE_a15.wav", "JE_a15", "JE", "anger", "a15", "male"),
        Sample("AudioData/KL/n30.wav", "KL/n30.wav", "KL_n30", "KL", "neutral", "n30", "male"),
    ],
    "tess": [
        Sample(
            "OA_bite_neutral.wav",
            "TESS data/OAF_neutral/OA_bite_neutral.wav",
            "OAF_bite_neutral",
            "OAF",
            "neutral",
            "Say the word bite",
            "female",
        ),
        Sample(
            "OAF_lid_fear.wav",
            "TESS data/OAF_Fear/OAF_lid_fear.wav",
            "OAF_lid_fear",
            "OAF",
            "fear",
            "Say the word lid",
            "female",
        ),
        Sample(
            "YAF_back_ps.wav",
            "TESS data/YAF_pleasant_surprised/YAF_back_ps.wav",
            "YAF_back_ps",
            "YAF",
            "pleasant_surprise",
            "Say the word back",
            "female",
        ),
    ],
}

# What lies beside the utterances, and the reason for which it is dropped.
STRAYS: dict[str, dict[str, str]] = {
    "crema_d": {
        "AudioWAV/1092_DFA_ANG_XX.wav": "not a CREMA-D name",
        "AudioWAV/1001_DFA_SUR_XX.wav": "unknown emotion code 'SUR'",
    },
    "emodb": {
        "wav/04a01Wa.wav": "not an EMO-DB name",
        "wav/03a01Xa.wav": "unknown emotion code 'X'",
    },
    "emovo": {
        "documents/readme.wav": "not an EMOVO name",
        "EMOVO/f1/ang-f1-b1.wav": "unknown emotion code 'ang'",
    },
    "iemocap": {
        "Session1/dialog/wav/Ses01F_impro04.wav": "a whole dialogue, not a turn",
        "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F009.wav": (
            "a turn without a label in EmoEvaluation"
        ),
        "Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_M002.wav": (
            "label 'fru' is none of the four classes"
        ),
        "Session1/sentences/wav/notes.wav": "not an IEMOCAP name",
    },
    "msp_improv": {
        "session1/S02N/S/MSP-IMPROV-S02N-F01-S-FM03.wav": "a turn without a label in Evalution.txt",
        "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM02.wav": "label 'X' is none of the four classes",
        "session1/S01A/P/MSP-IMPROV-S01A-F07-P-FM02.wav": "not an MSP-IMPROV name",
    },
    "nemo": {
        "samples/XX0_anger_1.wav": "not a nEMO name",
        "samples/EB0_disgust_1.wav": "unknown emotion code 'disgust'",
    },
    "ravdess": {
        "Actor_25/03-01-05-01-02-01-25.wav": "not a RAVDESS name",
        "Actor_01/03-01-09-01-02-01-01.wav": "unknown emotion code '09'",
        "Actor_01/03-02-05-01-02-01-01.wav": "song, not speech",
    },
    "savee": {
        "AudioData/XX/sa01.wav": "a SAVEE name without its speaker's folder or prefix",
        "AudioData/DC/zz01.wav": "unknown emotion code 'zz'",
        "AudioData/DC/notes.wav": "not a SAVEE name",
    },
    "tess": {
        "OAF_lid.wav": "not a TESS name",
        "YAF_lid_bored.wav": "unknown emotion code 'bored'",
    },
}

IEMOCAP_LABELS = {
    "Session1/dialog/EmoEvaluation/Ses01F_impro04.txt": [
        ("Ses01F_impro04_F000", "neu"),
        ("Ses01F_impro04_M001", "exc"),
        ("Ses01F_impro04_M002", "fru"),
    ],
    "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt": [("Ses05M_script01_1b_F003", "ang")],
}


def write_audio(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 200)
    soundfile.write(path, noise, 16_000, format="FLAC" if path.suffix == ".flac" else "WAV")


def write_labels(root: Path, labels: dict[str, list[tuple[str, str]]]) -> None:
    """IEMOCAP's label files, with the lines that surround a turn's own."""
    for file, turns in labels.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for number, (turn, label) in enumerate(turns):
            lines.append(f"[{number}.2901 - {number + 1}.5]\t{turn}\t{label}\t[2.5000, 2.5, 3.0]")
            lines += ["C-E2:\tNeutral;\t()", "A-E3:\tval 3; act 2; dom  2;\t()", ""]
        path.write_text("\n".join(lines))


IMPROV_LABELS = [
    ("MSP-IMPROV-S01A-F01-P-FM01", "N"),
    ("MSP-IMPROV-S01A-F02-R-FF01", "A"),
    ("MSP-IMPROV-S15H-M06-S-MF12", "H"),
    ("MSP-IMPROV-S01A-F01-P-FM02", "X"),
]


def write_improv_labels(root: Path, labels: list[tuple[str, str]]) -> None:
    """MSP-IMPROV's label file: a turn's consensus, then its raters."""
    lines = []
    for turn, letter in labels:
        video = turn.replace("MSP-", "UTD-") + ".avi"
        lines.append(f"{video}; {letter}; A:2.800000; V:3.200000; D:2.600000 ; N:NaN;")
        lines.append("Y1; Neutral; Neutral,Happy; A:3.000000; V:3.000000; D:3.000000; N:4.000000;")
        lines.append("")
    (root / "Evalution.txt").write_text("\n".join(lines))


def write_nemo_table(root: Path) -> None:
    """nEMO's table, whose speakers are published with spaces before them."""
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for one in NAMED["nemo"]:
        cells = [f"{one.id}.wav", one.emotion, one.text, one.text.lower(), f"        {one.speaker}"]
        lines.append("\t".join([*cells, one.sex, "24"]))
    (root / "data.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


# What a corpus of NAMED has beside its audio.
BESIDE: dict[str, Callable[[Path], None]] = {
    "iemocap": lambda root: write_labels(root, IEMOCAP_LABELS),
    "msp_improv": lambda root: write_improv_labels(root, IMPROV_LABELS),
    "nemo": write_nemo_table,
}


def write_named(name: str, root: Path, layout: str = "official", *, strays: bool = False) -> Path:
    """The tree of a corpus whose labels are in its files' names."""
    for seed, sample in enumerate(NAMED[name]):
        write_audio(root / getattr(sample, layout), seed)
    if name in BESIDE:
        BESIDE[name](root)
    if strays:
        for seed, file in enumerate(STRAYS[name], start=100):
            write_audio(root / file, seed)
    return root


def write_manifest(root: Path) -> Path:
    files = ["one.wav", "deep/two.flac", "three.wav"]
    for seed, file in enumerate(files):
        write_audio(root / file, seed)
    rows = [f"{file},emotion{seed},s{seed}" for seed, file in enumerate(files)]
    (root / "m.csv").write_text("\n".join(["path,emotion,speaker", *rows]))
    return root / "m.csv"


def emobox_row(key: str, dataset: str, wav: str, emotion: str, **more: object) -> str:
    row = {"key": key, "dataset": dataset, "wav": wav, "type": "raw", "sample_rate": 16000}
    return json.dumps({**row, "task": "category", "emo": emotion, "channel": 1, **more})


def write_emobox(root: Path) -> Path:
    """Two folds of SAVEE by speaker, as EmoBox publishes them, with audio below ``downloads``."""
    rows = {}
    for seed, (speaker, code) in enumerate([("DC", "sa"), ("DC", "a"), ("JE", "sa"), ("JE", "a")]):
        wav = f"downloads/savee/{speaker}_{code}01.wav"
        write_audio(root / wav, seed)
        key = f"savee-{speaker}-{code}01"
        rows.setdefault(speaker, []).append(emobox_row(key, "savee", wav, code))
    data = root / "data/savee"
    for fold, (test, train) in enumerate([("DC", "JE"), ("JE", "DC")], start=1):
        folder = data / f"fold_{fold}"
        folder.mkdir(parents=True)
        for side, speaker in (("test", test), ("train", train)):
            text = "\n".join(rows[speaker]) + "\n"
            (folder / f"savee_{side}_fold_{fold}.jsonl").write_text(text)
    (data / "label_map.json").write_text('{"a": "Angry", "sa": "Sad"}')
    return data


PODCAST_COLUMNS = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"


def podcast_row(segment: str, letter: str, speaker: str, sex: str, split: str) -> str:
    return f"MSP-PODCAST_{segment}.wav,{letter},2.2,4.0,2.6,{speaker},{sex},{split}"


def write_podcast(root: Path) -> Path:
    """MSP-Podcast as released, with a segment of no agreement and one of an unknown speaker."""
    rows = [
        ("0001_0008", "N", "30", "Male", "Train"),
        ("0001_0009", "A", "39", "Female", "Development"),
        ("0002_0011", "H", "41", "Female", "Test1"),
        ("0002_0012", "X", "41", "Female", "Test1"),
        ("0003_0001", "S", "Unknown", "Unknown", "Train"),
    ]
    for seed, (segment, *_) in enumerate(rows):
        write_audio(root / f"Audios/MSP-PODCAST_{segment}.wav", seed)
    (root / "Labels").mkdir()
    lines = [PODCAST_COLUMNS, *(podcast_row(*row) for row in rows)]
    (root / "Labels/labels_consensus.csv").write_text("\n".join(lines) + "\n")
    return root


def write_hugging_face(root: Path) -> Path:
    """Two shards as the Hub has them; one row has no label, and one no audio."""
    audio: list[tuple[bytes | None, str | None] | None] = []
    for seed in range(6):
        write_audio(root / "one.wav", seed)
        audio.append(((root / "one.wav").read_bytes(), f"{seed}.wav"))
    (root / "one.wav").unlink()
    audio[5] = None
    labels: list[object] = [0, 1, 0, 1, -1, 0]
    speakers: list[object] = ["a", "a", "b", "b", "b", "b"]
    for shard, part in enumerate((slice(0, 3), slice(3, 6))):
        columns = {"label": labels[part], "speaker_id": speakers[part]}
        table = rows_table(audio[part], columns, {"label": ["anger", "sadness"]})
        write_parquet(root / f"data/train-0000{shard}-of-00002.parquet", table)
    return root


AUDFORMAT_HEADER = """\
name: made
source: internal
usage: unrestricted
languages: [deu]
schemes:
  emotion:
    dtype: str
    labels: [anger, neutral]
  speaker:
    dtype: int
    labels:
      3: {gender: male, age: 31}
      8: {gender: female, age: 34}
  transcription:
    dtype: str
    labels: {a01: Der Lappen liegt auf dem Eisschrank.}
splits:
  test: {type: test}
  train: {type: train}
tables:
  emotion.test:
    type: filewise
    split_id: test
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence}
  emotion.train:
    type: filewise
    split_id: train
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
  files:
    type: filewise
    columns:
      duration: {scheme_id: duration}
      speaker: {scheme_id: speaker}
      transcription: {scheme_id: transcription}
"""


def write_audformat(root: Path) -> Path:
    files = ["wav/03a01Wa.wav", "wav/08a01Na.wav", "wav/08a02Wb.wav"]
    for seed, file in enumerate(files):
        write_audio(root / file, seed)
    (root / "db.yaml").write_text(AUDFORMAT_HEADER)
    tables = {
        "emotion.test": ["file,emotion,emotion.confidence", f"{files[0]},anger,0.9"],
        "emotion.train": ["file,emotion", f"{files[1]},neutral", f"{files[2]},anger"],
        "files": [
            "file,duration,speaker,transcription",
            f"{files[0]},0 days 00:00:01.9,3,a01",
            f"{files[1]},0 days 00:00:01.6,8,a01",
            f"{files[2]},0 days 00:00:01.1,8,a02",
        ],
    }
    for name, lines in tables.items():
        (root / f"db.{name}.csv").write_text("\n".join(lines) + "\n")
    return root


TABLES = {
    "audformat": write_audformat,
    "emobox": write_emobox,
    "hugging_face": write_hugging_face,
    "manifest": write_manifest,
    "msp_podcast": write_podcast,
}
NUM_UTTERANCES = {
    **{name: len(samples) for name, samples in NAMED.items()},
    "audformat": 3,
    "demo": 384,
    "emobox": 4,
    "hugging_face": 4,
    "manifest": 3,
    "msp_podcast": 3,
}


def make(name: str, root: Path) -> str | None:
    """A small corpus of that name below ``root``; returns what ``--data`` is."""
    if name == "demo":
        return None
    return str(TABLES[name](root) if name in TABLES else write_named(name, root))
