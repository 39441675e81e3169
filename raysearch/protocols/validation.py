"""Which part of a training side is held out for validation. Test rows are never seen here.

A rule holds out whole speakers, sessions or texts, chosen as ``smallest_set`` says: two speakers
or more, balanced by sex where possible, at most a quarter of them; one where there are fewer than
eight. With a single speaker a fifth of the texts is held out, and the speaker is shared.

- Where partners share a session (each speaker in one session, some session with two), whole
  sessions are held out instead: a partner in the same dialogue is not independent.
- Of joined corpora each gives speakers of its own, as far as it can spare some.
- ``text_independent`` keeps the held-out speakers' utterances of some texts only, as few texts as
  the same rule allows; their other utterances and other speakers' utterances of these texts are
  left out by the split. With one text left (RAVDESS) it is shared, and said so.
- ``session_independent`` holds out whole sessions; with one left it is shared, and said so.

A rule called again with the rows that it gave before gives another set, disjoint from them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from raysearch.corpora.utterance import Utterance
from raysearch.protocols.groups import session_of, text_of
from raysearch.protocols.held_out import Rows, chosen_groups, fifth, whole_groups
from raysearch.protocols.protocol_section import ProtocolName

__all__ = [
    "SESSION_SHARED",
    "SPEAKER_SHARED",
    "TEXT_SHARED",
    "Validation",
    "apart_in_text",
    "choose_validations",
    "is_small",
    "random_fifth",
]

SPEAKER_SHARED = "val: speaker shared"
TEXT_SHARED = "val: text shared"
SESSION_SHARED = "val: session shared"

FEW_SPEAKERS = 4
LARGE_ERROR = 0.03

Used = frozenset[str]


@dataclass(frozen=True)
class Validation:
    """The ids held out, and what a reader must know about them."""

    ids: frozenset[str]
    notes: tuple[str, ...] = ()


Rule = Callable[[Rows, Used], Validation | None]


def choose_validations(rows: Rows, protocol: ProtocolName, number: int = 1) -> list[Validation]:
    """Up to ``number`` disjoint validation sets of one training side.

    All are by the first rule that gives one, so that their values can be averaged. With as many
    as there can be, speakers who are in none of them join the later ones: then every speaker is
    validated on once.

    Args:
        rows: the training side (train and validation together), two or more of every class.
        protocol: whose rules apply.
        number: how many sets are wanted; fewer are given if fewer are possible.
    """
    for rule in _RULES[protocol]:
        first = rule(rows, frozenset())
        if first is None:
            continue
        found, used = [first], first.ids
        while len(found) < number and (another := rule(rows, used)):
            found.append(another)
            used |= another.ids
        if rule is _speakers and len(found) > 1 and rule(rows, used) is None:
            return _with_everyone(rows, found)
        return found
    return []


def _with_everyone(rows: Rows, found: list[Validation]) -> list[Validation]:
    """``found`` and the speakers of no set, each in the smallest set but the first.

    One who would take a class or a corpus out of training, or whose partners in dialogues are
    elsewhere, stays out.
    """
    if any(_share_dialogues([r for r in rows if r.corpus == c]) for c in {r.corpus for r in rows}):
        return found
    placed = frozenset[str]().union(*(one.ids for one in found))
    left = {(row.corpus, row.speaker) for row in rows if row.id not in placed}
    for speaker in sorted(left):
        smallest = min(range(1, len(found)), key=lambda k: (len(found[k].ids), k))
        own = {row.id for row in rows if (row.corpus, row.speaker) == speaker}
        larger = replace(found[smallest], ids=found[smallest].ids | own)
        rest = [row for row in rows if row.id not in larger.ids]
        if all({of(r) for r in rest} == {of(r) for r in rows} for of in (_emotion, _corpus)):
            found[smallest] = larger
    return found


def _emotion(row: Utterance) -> str:
    return row.emotion


def _corpus(row: Utterance) -> str:
    return row.corpus


def is_small(rows: Rows, held_out: Validation) -> bool:
    """Whether one validation set is too small to tell good settings from lucky ones.

    Fewer than four speakers, or a UA whose standard error is above three points where the truth
    is 70%: a class' recall is a mean of so many rows.
    """
    inside = [row for row in rows if row.id in held_out.ids]
    counts = Counter(row.emotion for row in inside)
    error = (0.7 * 0.3 * sum(1 / n for n in counts.values())) ** 0.5 / len(counts)
    return len({(row.corpus, row.speaker) for row in inside}) < FEW_SPEAKERS or error > LARGE_ERROR


def random_fifth(rows: Rows, used: Collection[str] = ()) -> frozenset[str]:
    """A fifth of ``rows`` by the hash of their ids; training keeps a row of every class."""
    return fifth(rows, lambda row: row.id, used)


def apart_in_text(rows: Rows, held_out: Validation) -> Validation:
    """The part of ``held_out`` whose texts can be left out of training; else all, and a note.

    Args:
        rows: the training side.
        held_out: whole speakers of it.
    """
    speakers = {row.speaker for row in rows if row.id in held_out.ids}
    texts: set[str] = set()
    for corpus in _corpora(rows, held_out.ids):
        part = [row for row in rows if row.corpus == corpus]
        inside = [row for row in part if row.id in held_out.ids]
        outside = [row for row in part if row.speaker not in speakers]
        texts |= chosen_groups(part, inside, outside, text_of, fewest=2) or set()
    ids = frozenset(row.id for row in rows if row.id in held_out.ids and text_of(row) in texts)
    left = [row for row in rows if row.speaker not in speakers and text_of(row) not in texts]
    classes, corpora = {row.emotion for row in rows}, _corpora(rows, held_out.ids)
    # Joined corpora may say the same texts, and so take classes from each other.
    if {row.emotion for row in left} != classes or _corpora(rows, ids) != corpora:
        return Validation(held_out.ids, (*held_out.notes, TEXT_SHARED))
    return replace(held_out, ids=ids)


def _corpora(rows: Rows, ids: frozenset[str]) -> set[str]:
    return {row.corpus for row in rows if row.id in ids}


def _speakers(rows: Rows, used: Used) -> Validation | None:
    """Whole speakers, or sessions that tie speakers, of each corpus that can spare some."""
    ids: set[str] = set()
    none_of: list[str] = []
    for corpus in sorted({row.corpus for row in rows}):
        part = [row for row in rows if row.corpus == corpus]
        if _share_dialogues(part):
            found = whole_groups(part, session_of, 1, used)
        else:
            found = whole_groups(part, lambda row: row.speaker, 2, used)
        if found:
            ids |= found
        elif any(row.id in used for row in part):
            return None  # another set would lack a corpus that the first one has
        else:
            none_of.append(corpus)
    if not ids:
        return None
    notes = (f"val: no speaker of {', '.join(none_of)}",) if none_of else ()
    return Validation(frozenset(ids), notes)


def _share_dialogues(rows: Rows) -> bool:
    """Whether speakers meet in sessions, each in one only, and one session can be spared."""
    speakers_of: dict[str | None, set[str]] = {}
    for row in rows:
        speakers_of.setdefault(session_of(row), set()).add(row.speaker)
    sizes = [len(speakers) for speakers in speakers_of.values()]
    one_each = sum(sizes) == len({row.speaker for row in rows})
    if None in speakers_of or not one_each or max(sizes) < 2:
        return False
    return whole_groups(rows, session_of, 1, frozenset()) is not None


def _speakers_and_texts(rows: Rows, used: Used) -> Validation | None:
    whole = _speakers(rows, used)
    return whole and apart_in_text(rows, whole)


def _sessions(rows: Rows, used: Used) -> Validation | None:
    ids = whole_groups(rows, session_of, 1, used)
    return Validation(ids) if ids else None


def _texts(rows: Rows, used: Used) -> Validation | None:
    if not all(map(text_of, rows)) or len(set(map(text_of, rows))) < 2:
        return None
    ids = fifth(rows, text_of, used)
    return Validation(ids, (SPEAKER_SHARED,)) if ids else None


def _random(rows: Rows, used: Used) -> Validation | None:
    ids = random_fifth(rows, used)
    return Validation(ids) if ids else None


def _marked(rule: Rule, *notes: str) -> Rule:
    def marked(rows: Rows, used: Used) -> Validation | None:
        found = rule(rows, used)
        return found and replace(found, notes=(*found.notes, *notes))

    return marked


_SHARING = (_texts, _marked(_random, SPEAKER_SHARED, TEXT_SHARED))
_RULES: Mapping[ProtocolName, Sequence[Rule]] = {
    "speaker_independent": (_speakers, *_SHARING),
    "text_independent": (_speakers_and_texts, *_SHARING),
    "session_independent": (
        _sessions,
        *(_marked(rule, SESSION_SHARED) for rule in (_speakers, *_SHARING)),
    ),
    "paper": (_random,),
}
