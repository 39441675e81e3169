"""Why files were refused, counted and told with an example and what to do about it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from raysearch.corpora.utterance import Dropped
from raysearch.errors import QuarantineError
from raysearch.paths import shortened

__all__ = ["UNUSABLE", "check_share", "commonest", "counted", "kind_of"]

UNUSABLE = "unusable: "
_COPIES = ("second copy", "the same bytes as another utterance")
_MOST_EXAMPLES = 3
# What to do, by words of the reason; the first that fit are told.
_REMEDIES: tuple[tuple[str, str], ...] = (
    ("Git LFS", "run `git lfs pull` in the clone"),
    ("git-annex", "run `git annex get` in the clone"),
    ("a link to nothing", "fetch what the links stand for (git annex get, dvc pull) or copy it"),
    ("leaves the folder", "give --data the folder that the links lead to, or a copy (cp -rL)"),
    ("a linked folder", "give --data the folder that the link leads to, or a copy (cp -rL)"),
    ("archive", "unpack the archives first"),
    ("web page", "download the files again: a server sent a page in their place"),
    ("zeros", "copy or download the files again"),
    ("empty file", "copy or download the files again"),
    ("without a data chunk", "copy or download the files again: they are cut off"),
    ("permission denied", "give yourself the right to read them (chmod -R u+rX FOLDER)"),
    ("not UTF-8", "rename them in UTF-8 (convmv -f latin1 -t utf8)"),
    ("larger than", "cut the recordings into utterances"),
    ("neither", "convert them to WAV or FLAC (ffmpeg -i IN OUT.wav)"),
    ("cannot be decoded", "convert them to WAV or FLAC (ffmpeg -i IN OUT.wav)"),
    ("dropped by the label map", "name a class for some of these labels in the label map"),
    ("without its WAV file", "unpack the audio below the folder that --data names"),
    ("without a label in", "give --data the folder that holds audio and labels of one release"),
    ("no Parquet file", "copy or download the files again"),
    ("without embedded audio", "write the dataset again by to_parquet or push_to_hub"),
    ("row without a speaker", "name the column of speakers, corpus.speaker_column"),
    ("row without an emotion", "name the table or column that holds the emotions"),
    ("an unknown speaker", "give these segments a SpkrID, or take a release that has them"),
    ("a scripted turn", "leave corpus.improvised out to keep scripted turns"),
    ("a tie of votes", "give these a label in the column emotion, or leave them out"),
    ("no votes and no emotion", "give these votes or a label, or leave them out"),
    ("emotion code", "check that the corpus is the one that --corpus names"),
)


def kind_of(reason: str) -> str:
    """Strip from a reason what belongs to one file only, so that equal reasons can be counted."""
    reason = reason.removeprefix(UNUSABLE)
    copy = next((words for words in _COPIES if reason.startswith(words)), None)
    return copy or reason.split(":")[0]


def counted(dropped: Iterable[Dropped]) -> list[tuple[str, int, Dropped]]:
    """Each kind of reason with how often it occurred and one file, the commonest first."""
    examples: dict[str, Dropped] = {}
    counts: Counter[str] = Counter()
    for item in dropped:
        kind = kind_of(item.reason)
        counts[kind] += 1
        examples.setdefault(kind, item)
    return [(kind, count, examples[kind]) for kind, count in counts.most_common()]


def commonest(dropped: Sequence[Dropped]) -> str:
    """The commonest reason in words: how often, where, what to do; empty if nothing was dropped."""
    found = counted(dropped)
    if not found:
        return ""
    kind, count, example = found[0]
    others = f", and {len(found) - 1} other reason(s)" if len(found) > 1 else ""
    told = f"{count} x {kind}, as {shortened(example.path)}{others}"
    remedy = next((what for words, what in _REMEDIES if words in kind), "")
    return f"{told}; {remedy}" if remedy else told


def check_share(bad: Mapping[str, str], num_rows: int, max_share: float) -> None:
    """Refuse audio of which too much is unusable.

    Args:
        bad: utterance id to reason.
        num_rows: of all utterances that were looked at.
        max_share: the largest bearable share, 0 to 1.

    Raises:
        QuarantineError: there is more.
    """
    if len(bad) <= max_share * num_rows:
        return
    some = [f"{name}: {reason}" for name, reason in sorted(bad.items())[:_MOST_EXAMPLES]]
    if len(bad) > _MOST_EXAMPLES:
        some.append("...")
    why = commonest([Dropped(name, reason) for name, reason in sorted(bad.items())])
    raise QuarantineError(
        f"{len(bad)} of {num_rows} utterances are unusable, more than "
        f"corpus.max_quarantined={max_share:g} allows: {why} ({'; '.join(some)})"
    )
