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


def crossed(num_speakers: int = 8, num_texts: int = 6, *, name: str = "made", takes: int = 1):
    """Every speaker says every text in every emotion; speakers 1 and 2 share session 1, and so on.

    The emotions are as many as in ``EMOTIONS``; odd speakers are male.
    """
    return made(
        [
            row(
                f"{name}-{speaker:02d}-{text}-{emotion}-{take}",
                f"{speaker:02d}",
                emotion,
                corpus=name,
                sex="male" if speaker % 2 else "female",
                text=f"{name} says {text}",
                session=str((speaker + 1) // 2),
            )
            for speaker in range(1, num_speakers + 1)
            for text in range(num_texts)
            for emotion in EMOTIONS
            for take in range(takes)
        ],
        name,
    )


def joined(*corpora: Corpus) -> Corpus:
    """Corpora as one: speakers are written with their corpus."""
    rows = [
        replace(one, id=f"{corpus.name}/{one.id}", speaker=f"{corpus.name}/{one.speaker}")
        for corpus in corpora
        for one in corpus.utterances
    ]
    return made(rows, "+".join(corpus.name for corpus in corpora))


@st.composite
def gappy(draw) -> Corpus:
    """``crossed`` corpora of some size, a part of whose rows is missing."""
    full = crossed(
        draw(st.integers(3, 9)), draw(st.integers(2, 7)), takes=draw(st.integers(1, 2))
    ).utterances
    gone = draw(st.sets(st.integers(0, len(full) - 1), max_size=len(full) // 6))
    return made([one for place, one in enumerate(full) if place not in gone])
