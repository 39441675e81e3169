"""What a running search has written, read where the hosts' shared folder lies."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

__all__ = ["RunFiles"]

TERMINAL = {"completed", "pruned", "failed"}


class RunFiles:
    """The ledger of a run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All events so far, or those of one kind."""
        ledger = self.folder / "trials.jsonl"
        lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
        found = [json.loads(line) for line in lines]
        return [event for event in found if kind in (None, event["event"])]

    def num_trials_begun(self) -> int:
        """Trials that have an epoch behind them."""
        return len({event["number"] for event in self.events("epoch")})

    def ended(self) -> set[int]:
        """Numbers of the trials that have ended."""
        return {e["number"] for e in self.events() if e["event"] in TERMINAL}

    def in_flight(self) -> set[int]:
        """Numbers of those that have begun and not ended."""
        return {event["number"] for event in self.events("started")} - self.ended()

    def epochs_since(self, time: float, number: int | None, attempts: Container[int]) -> int:
        """Epochs of some attempts reported after ``time``, of trial ``number`` or of all."""
        epochs = [e for e in self.events("epoch") if e["time"] > time and e["attempt"] in attempts]
        return sum(number in (None, epoch["number"]) for epoch in epochs)
