"""What is known of the shipped systems without building them, and what they lack here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raysearch.models.torch_hub import find_in_hub, hub_folder

__all__ = ["System", "SystemFacts", "read_facts"]

FILE = Path(__file__).with_name("system_facts.json")


@dataclass(frozen=True, slots=True)
class System:
    """One shipped space; ``weights`` is ``not needed``, ``found`` or what is lacking.

    ``variant`` says what is otherwise than published.
    """

    name: str
    inputs: Sequence[str]
    num_params: int | None
    paper: str
    published: Sequence[str]
    protocol: str
    weights: str
    variant: str


@dataclass(frozen=True)
class SystemFacts:
    """What is true of a shipped space on any machine; ``System`` has the other attributes.

    Attributes:
        needs: whether it needs anything from outside.
        lacking: what it lacks where nothing is there; empty if it never lacks anything.
        hub: the names in torch hub's folder of which any fills that lack.
    """

    HUB: ClassVar[str] = "{hub}"

    name: str
    inputs: Sequence[str]
    num_params: int | None
    paper: str
    published: Sequence[str]
    protocol: str
    variant: str
    needs: bool
    lacking: str
    hub: Sequence[str]

    def here(self) -> System:
        """Return the system on this machine."""
        found = bool(self.hub) and find_in_hub(self.hub) is not None
        return self.system("" if found else self.lacking.replace(self.HUB, str(hub_folder())))

    def system(self, lacking: str) -> System:
        """Return the system where it lacks this."""
        weights = "not needed" if not self.needs else lacking or "found"
        return System(
            self.name,
            self.inputs,
            self.num_params,
            self.paper,
            self.published,
            self.protocol,
            weights,
            self.variant,
        )


def read_facts() -> Mapping[str, SystemFacts]:
    """Read the facts of the shipped systems, by name."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return {row["name"]: SystemFacts(**row) for row in rows}
