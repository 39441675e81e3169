"""What was kept of a search: ledger, settings, and what its conductors were told besides."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raysearch_names import Event, SearchSpec, ValidationNoise, read, stable_hash

__all__ = ["LEDGERS", "Recording", "Sitting"]

LEDGERS = Path(__file__).parent / "ledgers"


@dataclass(frozen=True)
class Sitting:
    """One driver's part.

    Attributes:
        fence: the driver's.
        outcome: as ``run.json`` had it: ``finished``, a budget, ``signal``, or ``failed``.
        ended: when.
        budgets: fields of ``search`` that a resumption may change.
    """

    fence: int
    outcome: str
    ended: float
    budgets: dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """A search that is over.

    Attributes:
        folder: where it lies.
        events: all of its ledger.
        sittings: its drivers' parts.
        identity: the rows of its split, by which trials are named.
        noise: of its validation sets.
        num_startup: random trials before the sampler models anything.
    """

    folder: Path
    events: Sequence[Event]
    sittings: Sequence[Sitting]
    identity: dict[str, Any]
    noise: ValidationNoise
    num_startup: int

    @classmethod
    def read(cls, name: str) -> "Recording":
        """That of ``ledgers/NAME``."""
        folder = LEDGERS / name
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        rows = LEDGERS / facts["rows"]
        identity = json.loads(rows.read_text(encoding="utf-8"))
        assert rows.stem == f"rows-{stable_hash(identity)}", f"{rows}: other rows than recorded"
        return cls(
            folder,
            read(folder / "trials.jsonl"),
            [Sitting(**one) for one in facts["sittings"]],
            identity,
            ValidationNoise.from_dict(facts["validation"]),
            facts["num_startup_trials"],
        )

    @property
    def num_rows(self) -> tuple[int, int]:
        """Rows that a trial learns from, and that a refit does."""
        num_train = len(self.identity["train"])
        return num_train, num_train + len(self.identity["validation"])

    def specs(self, encoder: Path, overrides: Sequence[tuple[str, Any]]) -> Iterator[SearchSpec]:
        """Each sitting's settings, with ``encoder`` as the speech encoder's weights."""
        file = self.folder / "spec.yaml"
        given = list(overrides)
        if "weights: WEIGHTS" in file.read_text(encoding="utf-8"):
            given.append(("features.ssl.weights", str(encoder)))
        spec = SearchSpec.load(str(file), given)
        for sitting in self.sittings:
            yield replace(spec, search=spec.search.model_copy(update=sitting.budgets))
