"""Short stable hashes: the same content gives the same name in every process and version."""

import hashlib
import json

from pydantic import BaseModel

__all__ = ["canonical_json", "seed_from", "stable_hash"]


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_json(value: object) -> str:
    """``value`` as JSON with sorted keys and no spaces; NaN and infinities are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def stable_hash(value: object, length: int = 12) -> str:
    """The first ``length`` hex digits of the SHA-256 of ``value``'s canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def seed_from(*parts: object) -> int:
    """A 31-bit seed that depends on all of ``parts`` and nothing else."""
    return int(stable_hash(parts, 8), 16) & 0x7FFFFFFF
