"""What a user may ask of the readers of some corpora, beside where the corpus lies."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from raysearch.errors import ConfigError

__all__ = ["ReaderOptions", "check_heeded"]


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """Fields as in the ``corpus`` section; one that nobody asked for has its default here."""

    improvised: bool = False
    own_split: str | None = None
    speaker_column: str | None = None
    emotion_column: str | None = None
    vote_columns: tuple[str, ...] | None = None
    perceived: bool = False
    rated: bool = False

    @property
    def asked(self) -> list[str]:
        """The names of the options that are not at their default."""
        return [one.name for one in fields(self) if getattr(self, one.name) != one.default]


class _Reader(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def heeds(self) -> Sequence[str]: ...


def check_heeded(
    options: ReaderOptions, readers: Sequence[_Reader], known: Sequence[_Reader]
) -> None:
    """Refuse an option that none of the corpora knows.

    Args:
        options: what was asked for.
        readers: of the corpora that are to be read.
        known: of every corpus, to tell which ones know it.

    Raises:
        ConfigError: there is such an option; the message names it, and corpora that know it.
    """
    for name in options.asked:
        if not any(name in reader.heeds for reader in readers):
            of = " and ".join(reader.name for reader in known if name in reader.heeds)
            read = ", ".join(reader.name for reader in readers)
            raise ConfigError(f"corpus.{name} is for {of}: {read} has no such choice; leave it out")
