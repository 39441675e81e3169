"""Which settings make a figure transductive, and what is said and refused because of it.

A figure is transductive if it takes other recordings of the test speakers, unlabelled, beside the
one that is scored. It answers another question than an inductive figure, so both are never ranked
or compared with each other, and one search holds trials of one kind only. Everything that shows,
ranks or refuses figures asks ``is_transductive``.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from raysearch.config.base import Places
from raysearch.errors import ConfigError, UserError

if TYPE_CHECKING:
    from raysearch.training.training_sections import TrainingConfig

__all__ = ["FIELD", "NOTE", "check_unmixed", "is_transductive", "mark", "refuse_transductive"]

FIELD = "training.normalise"
NOTE = (
    "transductive: every test speaker's own recordings, unlabelled, normalise the features; "
    "not comparable with inductive figures"
)
_KIND = "speaker"


class Settings(Protocol):
    """A trial's settings, or a search's."""

    @property
    def training(self) -> "TrainingConfig":
        """How a trial learns."""
        ...


def is_transductive(settings: Settings) -> bool:
    """Whether a model of these settings reads several recordings of a speaker to score one."""
    return settings.training.by_speaker


def mark(transductive: bool) -> str:
    """What follows a figure's name: nothing for an inductive one."""
    return " (transductive)" if transductive else ""


def check_unmixed(
    settings: Settings, elsewhere: Mapping[str, Iterable[object]], places: Places
) -> None:
    """Refuse a search that would rank transductive trials with inductive ones.

    Args:
        settings: the search's own.
        elsewhere: dotted key to the values that a trial may take from there instead.
        places: where the keys were written.

    Raises:
        ConfigError: a value from elsewhere is of the other kind.
    """
    for key, values in elsewhere.items():
        for value in values:
            if (value == _KIND) != is_transductive(settings):
                raise ConfigError(
                    f"{places.of(key)}: {key!r} has {value!r} where {FIELD} is "
                    f"{settings.training.normalise!r}: figures under 'speaker' are transductive "
                    f"and are not ranked with others: fix it for the whole search, --set "
                    f"{FIELD}=speaker, or leave 'speaker' out"
                )


def refuse_transductive(settings: Settings, what: str) -> None:
    """Raise UserError, saying ``what`` cannot be done, for settings that are transductive."""
    if is_transductive(settings):
        raise UserError(
            f"{what}: {FIELD} is 'speaker', which takes several recordings of each speaker: "
            "use a model with another normalisation"
        )
