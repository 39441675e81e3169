"""What a run's sittings have noted of the energy of its machine, summed up and in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

__all__ = ["energy_in_words", "energy_kwh"]

JOULES_A_KWH = 3.6e6
Session = Mapping[str, object]


def energy_kwh(sessions: Sequence[Session]) -> dict[str, float]:
    """Sum kWh by kind of counter over those sittings that noted them; none if no one did."""
    total = Counter[str]()
    for session in sessions:
        total.update(_joules(session))
    return {counter: round(joules / JOULES_A_KWH, 6) for counter, joules in total.items()}


def energy_in_words(sessions: Sequence[Session]) -> str:
    """Say so in a line, with what it does not tell; empty if nothing is known."""
    found = energy_kwh(sessions)
    if not found:
        return ""
    known = sum(bool(_joules(session)) for session in sessions)
    amounts = ", ".join(f"{kwh:.3g} kWh of {counter}" for counter, kwh in found.items())
    partly = "" if known == len(sessions) else f"; {known} of {len(sessions)} sittings"
    return f"{amounts}; of the whole machine, whatever else ran on it{partly}"


def _joules(session: Session) -> Mapping[str, float]:
    found = session.get("energy_joules")
    return found if isinstance(found, dict) else {}
