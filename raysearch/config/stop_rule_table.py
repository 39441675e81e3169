"""Names to the rules by which trials stop or pause.

To add one, write a subclass of ``raysearch.tuning.stop_rules.StopRule`` and give it a row here; a
rule of your own is named ``package.module:Class`` and needs no row.
"""

from raysearch.config.name_table import Table

__all__ = ["STOP_RULES"]

STOP_RULES = Table(
    "stop rule",
    {
        "asha": "raysearch.tuning.stop_rules:Asha",
        "promote": "raysearch.tuning.stop_rules:Promote",
        "median": "raysearch.tuning.median_rule:Median",
        "none": "raysearch.tuning.stop_rules:Never",
    },
)
