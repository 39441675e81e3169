"""What a slot is doing, as Ray metrics: one series a run and slot for Prometheus and Grafana."""

from collections.abc import Mapping

from ray.util.metrics import Gauge

__all__ = ["SlotGauges"]

_DESCRIPTIONS = {
    "number": "The trial that the slot works on.",
    "epoch": "Epochs trained of that trial.",
    "val_uar": "Its validation UA after its last epoch.",
    "train_s": "Seconds inside batches in its last epoch.",
}


class SlotGauges:
    """Sets Ray's gauges ``raysearch_trial_*`` for one slot, tagged by run and slot.

    Args:
        run: the run's name.
        slot: the slot's index.
    """

    def __init__(self, run: str, slot: int) -> None:
        self._gauges = {
            name: Gauge(f"raysearch_trial_{name}", description=text, tag_keys=("run", "slot"))
            for name, text in _DESCRIPTIONS.items()
        }
        for gauge in self._gauges.values():
            gauge.set_default_tags({"run": run, "slot": str(slot)})

    def show(self, figures: Mapping[str, float]) -> None:
        """Set the gauges of which there are ``figures``."""
        for name, gauge in self._gauges.items():
            if name in figures:
                gauge.set(figures[name])
