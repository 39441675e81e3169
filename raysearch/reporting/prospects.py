"""What is said of the gain that more of a search would bring."""

from raysearch.config.metric_table import metric_of
from raysearch.forecast.gain import LEAST_RUNS, LEAST_TRIALS, LEVEL
from raysearch.forecast.progress import Outlook

__all__ = ["facts", "in_full", "in_short"]

_NONE = (
    "forecast: none of what more trials would bring: it takes "
    f"{LEAST_TRIALS} trials, the epochs of {LEAST_RUNS} whole runs, and a built-in stop rule"
)


def in_short(outlook: Outlook, objective: str, metric: str) -> str:
    """Write the gain for the live table, with the metric's name there: below 60 columns."""
    ahead = "next core-hour" if outlook.is_hour else f"as long again ({_time(outlook.core_s)})"
    of = metric_of(objective)
    low, high = (of.difference(gain) for gain in (outlook.gain.low, outlook.gain.high))
    if of.lower_is_better:
        return f"{ahead}: {metric} {low} to {high} lower ({LEVEL:.0%})"
    return f"{ahead}: +{low} to +{high} {metric} ({LEVEL:.0%})"


def in_full(outlook: Outlook | None, objective: str, metric: str) -> str:
    """A sentence for the outcome, with the metric's name there."""
    if outlook is None:
        return _NONE
    of = metric_of(objective)
    low, high = (of.difference(gain) for gain in (outlook.gain.low, outlook.gain.high))
    change = f"{'falls' if of.lower_is_better else 'rises'} by {low} to {high}{of.unit}"
    ahead = "in another core-hour"
    if not outlook.is_hour:
        ahead = f"in {_time(outlook.core_s)} more (a core-hour is too far ahead to tell)"
    held = f"{LEVEL:.0%} of replayed searches stayed within"
    return f"forecast: the best {metric} {change} {ahead}; {held}"


def facts(outlook: Outlook | None) -> dict[str, object] | None:
    """Return the gain for ``summary.json``, in the objective's own unit, positive for better."""
    if outlook is None:
        return None
    return {
        "core_s": outlook.core_s,
        "gain_low": outlook.gain.low,
        "gain_high": outlook.gain.high,
        "level": LEVEL,
    }


def _time(core_s: float) -> str:
    return f"{core_s / 60:.0f} core-min" if core_s >= 60 else f"{core_s:.0f} core-s"
