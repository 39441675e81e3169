"""What a corpus is once read: utterances, and what was dropped on the way with its reason."""

from dataclasses import dataclass

__all__ = ["DIMENSIONS", "Corpus", "Dropped", "Ratings", "Utterance", "Votes"]

DIMENSIONS = ("arousal", "valence", "dominance")

# Labels, sorted, and how many votes, or what probability, each has; never 0.
Votes = tuple[tuple[str, float], ...]
# Dimensions, in the order of DIMENSIONS, and what a recording was rated on each.
Ratings = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled recording.

    Attributes:
        id: unique in the corpus: the corpus' own id, the file's stem as a rule.
        path: absolute path of the audio file.
        corpus: the corpus' name.
        speaker: the corpus' own speaker id; unique within the corpus only.
        emotion: the label.
        content_hash: first 32 hex digits of the SHA-256 of the file's bytes.
        sample_rate: Hz, from the header; None if the header is unreadable.
        duration_s: seconds, from the header; None if the header is unreadable.
        text: what is said, or a code for it.
        session: the recording session.
        sex: ``"female"`` or ``"male"``.
        language: the language spoken.
        fold: a manifest's own fold.
        split: a manifest's own ``"train"``, ``"validation"`` or ``"test"``.
        votes: what several people heard, or a probability of each label; empty if not known.
        ratings: arousal, valence and dominance, as far as they are known, on the corpus' own scale.
    """

    id: str
    path: str
    corpus: str
    speaker: str
    emotion: str
    content_hash: str
    sample_rate: int | None
    duration_s: float | None
    text: str | None = None
    session: str | None = None
    sex: str | None = None
    language: str | None = None
    fold: str | None = None
    split: str | None = None
    votes: Votes = ()
    ratings: Ratings = ()

    @property
    def speaker_anywhere(self) -> str:
        """The speaker's name, ``<corpus>/<speaker>``, that is no other corpus' speaker's."""
        prefix = f"{self.corpus}/"  # joined corpora have it already
        return prefix + self.speaker.removeprefix(prefix)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is not an utterance of the corpus, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """Every usable utterance of a corpus, sorted by id, and every file that was dropped.

    Where ``by_emotion`` is False, emotions are not what is predicted: a side needs none.
    """

    name: str
    root: str
    utterances: tuple[Utterance, ...]
    dropped: tuple[Dropped, ...]
    by_emotion: bool = True

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers' ids, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    @property
    def emotions(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return tuple(sorted({utterance.emotion for utterance in self.utterances}))
