"""The ways to search that a replay can compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.config.identity import stable_hash
from raysearch.config.search import SearchConfig
from raysearch.errors import UnknownNameError, UserError
from raysearch.tuning.stop_rules import rule_class

__all__ = ["BASELINE", "RULES", "Rule", "rules_named"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to search.

    Attributes:
        meaning: in a few words.
        search: fields of the ``search`` section, over its defaults.
        random: settings are drawn at random throughout, and nothing is learned of them.
    """

    meaning: str
    search: Mapping[str, Any] = field(default_factory=dict)
    random: bool = False

    @property
    def key(self) -> str:
        """What two rules have in common that search alike."""
        search = SearchConfig.model_validate(self.search)
        if search.noise is None:
            noise = rule_class(search.scheduler).noise_errors
            search = search.model_copy(update={"noise": noise})
        return stable_hash([search, self.random])

    @property
    def scheduler(self) -> str:
        """What stops its trials."""
        return SearchConfig.model_validate(self.search).scheduler


# The default before trials paused, against which the others are measured: TPE and the stopping
# form of ASHA.
BASELINE = "asha"

# All but the last say what they mean, whatever the defaults become.
RULES: Mapping[str, Rule] = {
    "random": Rule("random draws, none stopped", {"scheduler": "none"}, random=True),
    "tpe": Rule("TPE, none stopped", {"scheduler": "none"}),
    "median": Rule("TPE and the median rule", {"scheduler": "median", "grace_epochs": None}),
    BASELINE: Rule(
        "TPE and ASHA that stops",
        {"scheduler": "asha", "grace_epochs": None, "reduction_factor": 3, "noise": 1.0},
    ),
    "promote": Rule(
        "TPE and ASHA that pauses, and promotes by what is expected",
        {
            "scheduler": "promote",
            "grace_epochs": None,
            "reduction_factor": 3,
            "noise": 0.0,
            "extrapolation": 0.5,
        },
    ),
    "default": Rule("what a new search uses"),
}


def rules_named(names: Sequence[str]) -> dict[str, Rule]:
    """The rules of these names, in their order.

    Raises:
        UnknownNameError: there is none of that name.
        UserError: no name at all.
    """
    for name in names:
        if name not in RULES:
            raise UnknownNameError(f"no rule {name!r}{did_you_mean(name, list(RULES))}")
    if not names:
        raise UserError(f"no rule is named (one of: {', '.join(RULES)})")
    return {name: RULES[name] for name in names}
