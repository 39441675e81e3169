"""``raysearch doctor``: whether this machine, or a whole Ray cluster, is fit for a search."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.inspection_options import DoctorOptions
from raysearch.cli.terminal import plain_console
from raysearch.errors import InfrastructureError
from raysearch.service.doctor.checkup import check_cluster, check_machine
from raysearch.service.doctor.findings import Finding, worst

__all__ = ["examine"]

_STYLES = {"ok": "green", "skipped": "dim", "warning": "yellow", "failed": "bold red"}


def examine(options: DoctorOptions) -> int:
    """Carry the verb out."""
    console = plain_console()
    if options.address is None:
        found = check_machine(options.storage, options.timeout_s)
        place = "this machine"
    else:
        found = check_cluster(options.address, options.storage, options.timeout_s)
        place = f"the cluster at {options.address}"
    findings = []
    for finding in found:
        findings.append(finding)
        _show(console, finding)
    if worst(findings) == "failed":
        failed = sum(finding.level == "failed" for finding in findings)
        console.print(f"{place} is not fit for a search: {failed} failed", style="bold red")
        return InfrastructureError.exit_code
    warnings = sum(finding.level == "warning" for finding in findings)
    console.print(f"{place} is fit for a search" + (f", {warnings} warnings" if warnings else ""))
    return 0


def _show(console: Console, finding: Finding) -> None:
    """A line a check; on a terminal what does not fit into it goes on below itself."""
    advice = f"-> {finding.advice}" if finding.advice else ""
    if not console.is_terminal:
        print(f"{finding.level:7}  {finding.check:9}  {finding.what} {advice}".rstrip())
        return
    row = Table.grid(padding=(0, 2))
    row.add_column(width=7)
    row.add_column(width=9)
    row.add_column(overflow="fold")
    what = Text(finding.what)
    what.append(f"\n{advice}" if advice else "", style="italic")
    row.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.check, what)
    console.print(row)
