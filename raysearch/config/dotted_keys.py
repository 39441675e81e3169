"""Dotted keys: nested settings as flat ones, and keys that had another name before."""

from collections.abc import Mapping

from raysearch.config.base import Places
from raysearch.errors import ConfigError

__all__ = ["current_key", "flat", "with_current_keys"]

# Files of users, and those that earlier versions left in runs, are read by the former names, too.
_FORMER = {"search.own_first": "search.defaults_first"}


def current_key(key: str, places: Places, place: str) -> str:
    """Return the name that ``key`` has now, and note in ``places.remarks`` if it is another one.

    Args:
        key: dotted.
        places: where the keys of a configuration were written.
        place: where this one was.
    """
    if key not in _FORMER:
        return key
    places.remarks.append(f"{place}: {key!r} is now called {_FORMER[key]!r}")
    return _FORMER[key]


def with_current_keys(data: Mapping[str, object], places: Places) -> dict[str, object]:
    """Return ``data`` with every former key under the name that it has now.

    Args:
        data: sections by name.
        places: where the keys were written; the new names get the same places, and each renamed
            key is noted in ``places.remarks``.

    Raises:
        ConfigError: a key is given under both names.
    """
    found = dict(data)
    for former, current in _FORMER.items():
        section, name = former.split(".")
        new_name = current.split(".")[1]
        fields = found.get(section)
        if not isinstance(fields, Mapping) or name not in fields:
            continue
        place = places.of(former)
        if new_name in fields:
            raise ConfigError(f"{place}: {former!r} is now called {current!r}: give one of them")
        places.note(current_key(former, places, place), place)
        found[section] = {new_name if key == name else key: fields[key] for key in fields}
    return found


def flat(data: object, prefix: str = "") -> dict[str, object]:
    """Return the leaves of nested mappings by their dotted keys; an empty mapping is a leaf."""
    if not isinstance(data, dict) or not data:
        return {prefix: data}
    return {
        leaf: value
        for key, item in data.items()
        for leaf, value in flat(item, f"{prefix}.{key}" if prefix else key).items()
    }
