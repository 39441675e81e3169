"""Every name of raysearch that the replay of ledgers needs, in one place."""

from raysearch.config.identity import stable_hash
from raysearch.config.space import Space
from raysearch.ledger import TERMINAL, Event, parse_event, read
from raysearch.ledger_events import Steered
from raysearch.spec import SearchSpec
from raysearch.storage.publication import Publication
from raysearch.tuning import budgets
from raysearch.tuning.conductor import Conductor
from raysearch.tuning.problem import SpecProblem
from raysearch.tuning.refit_plan import RefitPlan
from raysearch.tuning.study import Study
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault

__all__ = [
    "TERMINAL",
    "Conductor",
    "EpochReport",
    "Event",
    "Fault",
    "Publication",
    "RefitPlan",
    "SearchSpec",
    "Space",
    "SpecProblem",
    "Steered",
    "Study",
    "ValidationNoise",
    "budgets",
    "parse_event",
    "read",
    "stable_hash",
]
