"""What ``raysearch run`` does once its settings are accepted: a search, or an estimate of one."""

from rich.console import Console

from raysearch.cli.dry_run import explain
from raysearch.cli.run_options import RunOptions
from raysearch.cli.search_view import SearchView
from raysearch.cli.terminal import ProgressLine
from raysearch.errors import OtherSettingsError
from raysearch.run_folder import RunFolder
from raysearch.searching.alerts import Alerts, checked_url
from raysearch.searching.tracked import Tracking
from raysearch.searching.whole_search import search_since
from raysearch.spec import SearchSpec
from raysearch.tuning.start_source import find_source, fitted

__all__ = ["estimate_search", "start_search"]


def estimate_search(
    options: RunOptions, spec: SearchSpec, resumed: RunFolder | None, console: Console
) -> int:
    """Print what the search would take; the exit code. ``resumed`` is the run it would go on."""
    source = find_source(spec, options.storage, resumed)
    spec, settings = fitted(spec, source)
    local = not options.address
    return explain(spec, options.storage, console, local=local, start=(source, settings))


def start_search(
    options: RunOptions, spec: SearchSpec, console: Console, started: float, *, resume: bool
) -> None:
    """Search, telling the terminal; ``started`` is when the process began, since the epoch."""
    alerts = checked_url(options.notify) if options.notify else None
    with ProgressLine(console, quiet=options.quiet) as progress:
        view = SearchView(console, progress, quiet=options.quiet, job=options.job)
        tracked = [Tracking(name, progress.say) for name in options.track]
        try:
            search_since(
                started,
                spec,
                storage=options.storage,
                name=options.name,
                address=options.address,
                resume=resume,
                warm_start=options.search.warm_start,
                observers=[view, *tracked, *([Alerts(alerts, progress.say)] if alerts else [])],
            )
        except OtherSettingsError as error:
            if not options.search.space:
                raise
            hint = "leave --space out to go on with the run's own settings"
            raise OtherSettingsError(f"{error}; {hint}") from None
