"""YAML in and out: plain data only, each key's line remembered, surprises of YAML 1.1 removed.

Read and written alike: ``1e-3`` is a number; only ``true`` and ``false`` are booleans (``no`` and
``off`` are words); there are no dates, no base-60 numbers, no aliases and no tags, so a file can
neither run code nor grow when it is read. Where another program writes aliases they are followed,
up to a bound on what they stand for in all.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from raysearch.config.base import Places
from raysearch.errors import ConfigError, MissingPathError, first_line

__all__ = ["MAX_BYTES", "dump_yaml", "parse_yaml", "read_yaml"]

MAX_BYTES = 512 * 1024
MAX_VALUES = 2_000_000
MAX_DEPTH = 100

_TAG = "tag:yaml.org,2002:"
_PATTERNS: list[tuple[str, str, str]] = [
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+.0123456789"),
]


def _install_patterns(cls: Any) -> None:
    # An empty table of its own first: the class would otherwise extend the 1.1 patterns.
    cls.yaml_implicit_resolvers = {}
    for name, pattern, first in _PATTERNS:
        letters = ["" if letter == "\0" else letter for letter in first]
        cls.add_implicit_resolver(_TAG + name, re.compile(rf"^(?:{pattern})$"), letters)


class _Loader(yaml.SafeLoader):
    """Composes nodes; refuses aliases, which can blow a small file up."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are refused", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _AliasLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Follows aliases; libyaml's where it is there, since files of megabytes are read by it."""


class _Dumper(yaml.SafeDumper):
    """Quotes exactly what ``_Loader`` would misread; never writes an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_install_patterns(_Loader)
_install_patterns(_AliasLoader)
_install_patterns(_Dumper)


def read_yaml(
    path: Path, *, max_bytes: int = MAX_BYTES, aliases: bool = False
) -> tuple[dict[str, Any], Places]:
    """The mapping in the file ``path``, and the ``file:line`` of every dotted key.

    Args:
        path: of the file.
        max_bytes: a larger file is refused.
        aliases: follow them, to at most ``MAX_VALUES`` values in all.

    Raises:
        MissingPathError: no such file, or not readable.
        ConfigError: not YAML, not a mapping, a key twice, an alias or tag, or too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise MissingPathError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(content) > max_bytes:
        raise ConfigError(f"{path}: larger than {max_bytes // 1024} KiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start})") from None
    places = Places(str(path))
    data = parse_yaml(text, str(path), places, aliases=aliases)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: expected a mapping of sections")
    return data, places


def parse_yaml(
    text: str, source: str, places: Places | None = None, *, aliases: bool = False
) -> object:
    """The plain value that ``text`` stands for; ``places`` receives ``source:line`` of each key.

    Aliases are refused, or followed as in ``read_yaml``.

    Raises:
        ConfigError: not one document of plain YAML; the message begins with the place.
    """
    try:
        if aliases:
            _check_depth(text, source)
        loader: Any = (_AliasLoader if aliases else _Loader)(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        if node is not None and aliases:
            _check_expansion(node, source)
        return None if node is None else _plain(node, "", source, places)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{source}{line}: {what or 'not YAML'}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: {first_line(error)}") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply") from None


def _check_depth(text: str, source: str) -> None:
    """Refuse what is nested too deeply: libyaml composes without a limit of its own."""
    depth = 0
    for event in yaml.parse(text, Loader=_AliasLoader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = f":{event.start_mark.line + 1}" if event.start_mark else ""
            raise ConfigError(f"{source}{line}: nested too deeply")


def _check_expansion(node: yaml.Node, source: str) -> None:
    """Refuse aliases that stand for too much, or for what they are in, before any is followed."""
    sizes: dict[int, int] = {}
    counting: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in counting:
            place = f"{source}:{node.start_mark.line + 1}"
            raise ConfigError(f"{place}: an alias stands for what it is a part of")
        if id(node) not in sizes:
            counting.add(id(node))
            sizes[id(node)] = 1 + sum(size(part) for part in _parts(node))
            counting.discard(id(node))
        return sizes[id(node)]

    if size(node) > MAX_VALUES:
        raise ConfigError(f"{source}: its aliases stand for more than {MAX_VALUES} values")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _plain(node: yaml.Node, key: str, source: str, places: Places | None) -> object:
    place = f"{source}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
        return _mapping(node, key, source, places)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
        return [
            _item(child, f"{key}.{i}" if key else str(i), source, places)
            for i, child in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, place)
    raise ConfigError(f"{place}: the tag {node.tag!r} is refused")


def _item(node: yaml.Node, key: str, source: str, places: Places | None) -> object:
    if places is not None:
        places.note(key, f"{source}:{node.start_mark.line + 1}")
    return _plain(node, key, source, places)


def _mapping(
    node: yaml.MappingNode, key: str, source: str, places: Places | None
) -> dict[str, object]:
    data: dict[str, object] = {}
    for key_node, value_node in node.value:
        place = f"{source}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{place}: a key is a word, not a list or mapping")
        name = str(key_node.value)
        if name in data:
            raise ConfigError(f"{place}: the key {name!r} is written twice")
        dotted = f"{key}.{name}" if key else name
        if places is not None:
            places.note(dotted, place)
        data[name] = _plain(value_node, dotted, source, places)
    return data


def _scalar(node: yaml.ScalarNode, place: str) -> object:
    text, tag = str(node.value), node.tag.removeprefix(_TAG)
    if tag == "str":
        return text
    if (tag == "null" and text in ("", "~")) or text.lower() == "null":
        return None
    try:
        if tag == "bool":
            return {"true": True, "false": False}[text.lower()]
        if tag == "int":
            return int(text)
        if tag == "float":
            return float(text)
    except (ValueError, KeyError):
        raise ConfigError(f"{place}: {text!r} is not a {tag}") from None
    raise ConfigError(f"{place}: the tag {node.tag!r} is refused")


def dump_yaml(data: object) -> str:
    """``data`` (plain values only) as YAML that ``parse_yaml`` reads back equal."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
