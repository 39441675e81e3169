"""``--set key=value``: dotted keys laid over what a file says."""

from collections.abc import Sequence
from typing import Any

from raysearch.config.base import Places
from raysearch.config.distributions import same_value
from raysearch.config.dotted_keys import current_key
from raysearch.config.loader import parse_yaml
from raysearch.errors import ConfigError

__all__ = ["FLAT_SECTIONS", "apply_overrides", "parse_override"]

# Below these keys the rest of a dotted key is one key: `space.training.learning_rate`.
FLAT_SECTIONS = ("space", "published.settings")


def parse_override(text: str) -> tuple[str, object]:
    """``"key=value"`` as its key and its value, the value read as YAML.

    Raises:
        ConfigError: no ``=``, an empty part in the key, or a value that is not YAML.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise ConfigError(f"--set {text}: write key=value with a dotted key")
    return key, parse_yaml(value, f"--set {key}")


def apply_overrides(
    data: dict[str, object], places: Places, overrides: Sequence[tuple[str, object] | str]
) -> list[str]:
    """Lay ``overrides`` over ``data`` in place, later ones last; the keys that were set.

    A field that is set is fixed: it leaves ``space``, conditions on it are settled, and a published
    value that was only ``assumed`` gives way to it. ``space.<field>=null`` makes a field leave the
    space, too.

    Raises:
        ConfigError: a key that goes through a plain value.
    """
    keys = []
    values: dict[str, object] = {}
    for item in overrides:
        written, value = parse_override(item) if isinstance(item, str) else item
        key = current_key(written, places, f"--set {written}")
        _set(data, _split(key), value, key)
        parts = key.split(".")
        for i in range(1, len(parts)):
            # A section that only the override names is to be blamed on it.
            if places.of(".".join(parts[:i])) == places.source:
                places.note(".".join(parts[:i]), f"--set {key}")
        places.note(key, f"--set {key}")
        _fix(data, key)
        values[key] = value
        keys.append(key)
    for key, value in values.items():
        _settle(data.get("space"), key, value)
    return keys


def _split(key: str) -> list[str]:
    for section in FLAT_SECTIONS:
        if key.startswith(section + "."):
            return [*section.split("."), key.removeprefix(section + ".")]
    return key.split(".")


def _set(data: dict[str, Any], parts: list[str], value: Any, key: str) -> None:
    *parents, last = parts
    for part in parents:
        if data.get(part) is None:
            data[part] = {}
        data = data[part]
        if not isinstance(data, dict):
            raise ConfigError(f"--set {key}: {part!r} is not a section")
    if parents == ["space"] and value is None:
        data.pop(last, None)
    else:
        data[last] = value


def _fix(data: dict[str, object], key: str) -> None:
    space, settings = data.get("space"), data.get("published")
    if isinstance(settings, dict):
        settings = settings.get("settings")
    for mapping, may_go in ((space, _always), (settings, _is_assumed)):
        if isinstance(mapping, dict):
            for field in [f for f in mapping if f == key or f.startswith(f"{key}.")]:
                if may_go(mapping[field]):
                    del mapping[field]


def _settle(space: object, key: str, value: object) -> None:
    """Conditions on ``key`` hold or do not, now that it has one value; they need no probing."""
    if not isinstance(space, dict):
        return
    for field, data in list(space.items()):
        items = data if isinstance(data, list) else [data]
        left = [item for item in items if _may_apply(item, key, value)]
        if len(left) < len(items):
            space[field] = left
        if not left:
            del space[field]


def _may_apply(item: Any, key: str, value: Any) -> bool:
    """Whether a distribution is left; its condition on ``key`` goes if ``value`` meets it."""
    when = item.get("when") if isinstance(item, dict) else None
    options = when.get(key) if isinstance(when, dict) else None
    if not isinstance(options, list):
        return True
    if not any(same_value(value, option) for option in options):
        return False
    del item["when"][key]
    if not item["when"]:
        del item["when"]
    return True


def _always(_: object) -> bool:
    return True


def _is_assumed(setting: object) -> bool:
    return isinstance(setting, dict) and setting.get("source") == "assumed"
