"""The strict base of every configuration class, and errors that name the key and its place."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from raysearch.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound="Config")
Path = tuple[str | int, ...]


class Config(BaseModel):
    """An immutable section whose unknown keys are errors.

    Every field carries a one-line ``Field(description=...)``; checks live where the value is
    built, so a ``Config`` that exists is valid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if callable(cls.__dict__.get("ready")):
            raise TypeError(f"{cls.__qualname__}.ready is called check_external_files: rename it")

    def identity(self) -> dict[str, object]:
        """What decides results, as plain data: a section with a file puts its content's hash."""
        return self.model_dump(mode="json")

    def check_external_files(self) -> None:
        """Look for what the section needs from outside, such as weights, before work starts.

        Raises:
            UserError: it is not there; the message says where to get it.
        """


class Places:
    """Where each dotted key was written: ``file:line`` for YAML, ``--set`` for an override.

    Attributes:
        remarks: lines for the user about keys that are read under another name.
    """

    def __init__(self, source: str = "the configuration") -> None:
        self.source = source
        self._places: dict[str, str] = {}
        self.remarks: list[str] = []

    def note(self, key: str, place: str) -> None:
        """Remember that ``key`` was written at ``place``."""
        self._places[key] = place

    def of(self, key: str) -> str:
        """The place of ``key``, of its nearest written parent, or of the whole source."""
        parts = key.split(".")
        while parts:
            if ".".join(parts) in self._places:
                return self._places[".".join(parts)]
            parts.pop()
        return self.source


def did_you_mean(name: str, choices: Sequence[str]) -> str:
    """``" (did you mean 'x'?)"``, or the choices if none is near, or nothing if there are none."""
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (one of: {', '.join(sorted(choices))})" if choices else ""


def build(
    cls: type[ConfigT],
    data: Mapping[str, object],
    *,
    prefix: str = "",
    places: Places | None = None,
) -> ConfigT:
    """``cls`` from ``data``; ``prefix`` is the dotted key of the section.

    Raises:
        ConfigError: one line a mistake, each with its place, its key and what was expected.
    """
    places = places or Places()
    try:
        return cls.model_validate(dict(data))
    except ValidationError as error:
        lines = [_describe(cls, item, prefix, places) for item in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(lines))) from None


def _describe(cls: type[Config], item: ErrorDetails, prefix: str, places: Places) -> str:
    location = [str(part) for part in item["loc"]]
    key = ".".join([prefix, *location] if prefix else location)
    place = places.of(key)
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown key {key!r}{did_you_mean(location[-1], list(cls.model_fields))}"
    if item["type"] == "missing":
        return f"{place}: {key!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    return f"{place}: {key!r} is {item['input']!r}: {message[0].lower() + message[1:]}"
