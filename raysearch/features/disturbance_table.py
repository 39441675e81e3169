"""What test recordings are disturbed by, and how much: one row a kind of disturbance.

To add one, write a function as ``raysearch.features.babble:with_babble`` and give it a row here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from raysearch.config.name_table import Table
from raysearch.errors import UserError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["KINDS", "Kind", "Level", "Maker", "kinds_named", "levels_of", "maker_of"]


class Maker(Protocol):
    """Disturbs one waveform: as long as before, and nothing in it is moved."""

    def __call__(
        self,
        waveform_N: "np.ndarray",
        sample_rate: int,
        level: str,
        seed: int,
        others: "Sequence[np.ndarray]",
    ) -> "np.ndarray":
        """Return the disturbed samples; the same arguments give the same bits.

        Args:
            waveform_N: mono float32 samples.
            sample_rate: Hz.
            level: one of the kind's.
            seed: what is drawn depends on it alone.
            others: recordings of training speakers, where the kind asks for them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of disturbance.

    Attributes:
        maker: of training rows' own cells, none: ``waveform_augment`` makes them.
        levels: as cells name them, to what tables say; the mildest first.
        cell: what its cells are called.
        mixes_others: whether it is made from recordings of training speakers.
        lacking: what says why this machine cannot make a level; none: it can make all.
    """

    cell: str
    levels: Mapping[str, str]
    maker: str | None = None
    mixes_others: bool = False
    lacking: str | None = None


_SNRS = {snr: f"{snr} dB" for snr in ("20", "10", "5", "0")}
KINDS = {
    "white": Kind("noise", _SNRS),
    "babble": Kind("babble", _SNRS, "raysearch.features.babble:with_babble", mixes_others=True),
    "room": Kind(
        "room",
        {rt60: f"RT60 {rt60} s" for rt60 in ("0.3", "0.6", "1.0")},
        "raysearch.features.rooms:in_room",
    ),
    "codec": Kind(
        "codec",
        {
            "opus-24": "Opus, 24 kbit/s",
            "opus-8": "Opus, 8 kbit/s",
            "vorbis": "Vorbis, near 30 kbit/s",
            "mp3": "MP3, near 24 kbit/s",
            "a-law": "A-law, 8 kHz",
            "mu-law": "mu-law, 8 kHz",
            "gsm": "GSM 06.10",
        },
        "raysearch.features.codecs:through_codec",
        lacking="raysearch.features.codecs:lacking_codec",
    ),
    "telephone": Kind(
        "telephone",
        {"mu-law": "300-3400 Hz, mu-law"},
        "raysearch.features.codecs:by_telephone",
        lacking="raysearch.features.codecs:lacking_codec",
    ),
}
_MAKERS = Table("noise", {kind.cell: kind.maker for kind in KINDS.values() if kind.maker})
_LACKING = Table("noise", {name: kind.lacking for name, kind in KINDS.items() if kind.lacking})


@dataclass(frozen=True, slots=True)
class Level:
    """A kind of disturbance at one of its levels.

    Attributes:
        kind: its row's name.
        name: the level, as cells name it.
    """

    kind: str
    name: str

    @property
    def shown(self) -> str:
        """What tables say of the level."""
        return KINDS[self.kind].levels[self.name]

    @property
    def in_words(self) -> str:
        """Kind and level, as a sentence has them: ``babble, 10 dB``."""
        return f"{self.kind}, {self.shown}"

    @property
    def lacking(self) -> str | None:
        """Why this machine cannot make it; None if it can."""
        if self.kind not in _LACKING.built_in:
            return None
        why: str | None = _LACKING.load(self.kind)(self.name)
        return why

    @property
    def cell(self) -> str:
        """The cell that test rows go through; what is mixed from others has a mark behind it."""
        return f"{KINDS[self.kind].cell}:{self.name}"


def kinds_named(text: str) -> tuple[str, ...]:
    """Read ``all``, or kinds with commas between; in the table's order, each once.

    Raises:
        UserError: there is no such kind.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word != "all" and word not in KINDS:
            raise UserError(
                f"{word!r} is no kind of noise: write RUN --noise, or RUN --noise with some of"
                f" {','.join(KINDS)}"
            )
    return tuple(name for name in KINDS if name in words or "all" in words)


def levels_of(kinds: Sequence[str]) -> Iterator[Level]:
    """Each level of ``kinds``, the mildest of a kind first."""
    return (Level(kind, name) for kind in kinds for name in KINDS[kind].levels)


def maker_of(cell: str) -> Maker | None:
    """What makes the cells of this name; None for an augmentation's."""
    found: Maker | None = _MAKERS.load(cell) if cell in _MAKERS.built_in else None
    return found
