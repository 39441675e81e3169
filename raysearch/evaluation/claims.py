"""What may be claimed of two systems, or of two groups, in one sentence."""

from raysearch.evaluation.statistics import TIE_MARGIN, Comparison, Interval

__all__ = ["claim", "points"]


def claim(
    first: str,
    second: str,
    found: Comparison,
    *,
    label: str = "UA",
    differs: str = "is",
    untested: str = "",
) -> str:
    """Say in one sentence what may be claimed.

    Args:
        first: whose verdict it is.
        second: whom it is compared with.
        found: first minus second.
        label: of the metric.
        differs: what stands before ``better`` or ``worse``.
        untested: what is said beside a difference that cannot be tested.
    """
    both, gap = f"{first} and {second}", f"{points(found.difference)} {label} points"
    gap += _bounds(found.interval)
    if found.p_holm is None:
        return f"{both} cannot be tested: {found.lack}; {gap}{untested}"
    test = f"{found.method}, Holm p = {found.p_holm:.3g}"
    if found.verdict == "tie":
        return f"{both} tie: {gap}, within +-{100 * TIE_MARGIN:g} ({test})"
    if found.verdict == "not distinguished":
        return f"{both} are not distinguished: {gap} shows neither difference nor tie ({test})"
    return f"{first} {differs} {found.verdict} than {second}: {gap} ({test})"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points: ``+1.2``."""
    return f"{100 * difference:+.1f}"


def _bounds(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" [{points(interval.low)}, {points(interval.high)}: {interval.level:.0%} interval]"
