"""Corpora in memory, for the tests of the protocols."""

from dataclasses import replace

from hypothesis import strategies as st

from raysearch.corpora.utterance import Corpus, Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")


def row(identifier: str, speaker: str, emotion: str, **fields: str) -> Utterance:
    base = Utterance(
        id=identifier,
        path=f"/data/{identifier}.wav",
        corpus="made",
        speaker=speaker,
        emotion=emotion,
        content_hash=f"hash-{identifier}",
        sample_rate=16_000,
        duration_s=2.0,
    )
    return replace(base, **fields)


def made(rows, name: str = "made") -> Corpus:
    return Corpus(name, "/data", tuple(sorted(rows, key=lambda one: one.id)), ())


def regular(
    num_speakers: int = 10, *, per_class: int = 4, name: str = "made", emotions=EMOTIONS
) -> Corpus:
    """Speakers "01", "02", ... (odd: male), each with ``per_class`` utterances of each class."""
    return made(
        [
            row(
                f"{speaker:02d}-{emotion}-{take}",
                f"{speaker:02d}",
                emotion,
                sex="male" if speaker % 2 else "female",
                text=f"text {take}",
            )
            for speaker in range(1, num_speakers + 1)
            for emotion in emotions
            for take in range(per_class)
        ],
        name,
    )


@st.composite
def corpora(draw, min_speakers: int = 2, max_speakers: int = 14) -> Corpus:
    """Uneven corpora: every speaker has 1 to 6 utterances of two to four classes."""
    rows = []
    num_classes = draw(st.integers(2, 4))
    for speaker in range(draw(st.integers(min_speakers, max_speakers))):
        sex = draw(st.sampled_from(["female", "male"]))
        for emotion in EMOTIONS[:num_classes]:
            for take in range(draw(st.integers(2, 6))):
                name = f"s{speaker}"
                rows.append(row(f"{name}-{emotion}-{take}", name, emotion, sex=sex))
    return made(rows)
