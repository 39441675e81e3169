"""``raysearch run``: a search, from nothing to the best model.

What is imported inside functions brings Ray and torch, for which settings that are refused need not
wait.
"""

import psutil
from rich.console import Console

from raysearch.cli.run_options import RunOptions
from raysearch.cli.terminal import ProgressLine, plain_console
from raysearch.errors import UserError
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

__all__ = ["run"]


def run(options: RunOptions) -> int:
    """Carry the verb out."""
    started = psutil.Process().create_time()
    console = plain_console()
    named = _named(options) if options.resume else None
    if options.is_race(named):
        from raysearch.cli.race import race

        return race(options, _named(options), console)
    if options.resume == "auto" and named is None:
        raise UserError("--resume auto asks for --name RUN")
    resume = bool(options.resume)
    if options.resume == "auto" and named is not None:
        resume = named.spec_file.is_file()
    spec = options.search.spec(named if resume else None)
    if options.dry_run:
        return _explain(options, spec, named if resume else None, console)
    _search(options, spec, console, started, resume=resume)
    return 0


def _named(options: RunOptions) -> RunFolder | None:
    """The folder of ``--name``, as it is in its storage now; raises UserError for no such name."""
    from raysearch.searching.whole_search import named_run

    return None if options.name is None else named_run(options.storage, options.name)


def _explain(
    options: RunOptions, spec: SearchSpec, resumed: RunFolder | None, console: Console
) -> int:
    from raysearch.cli.dry_run import explain
    from raysearch.tuning.start_source import find_source, fitted

    source = find_source(spec, options.storage, resumed)
    spec, settings = fitted(spec, source)
    local = not options.address
    return explain(spec, options.storage, console, local=local, start=(source, settings))


def _search(
    options: RunOptions, spec: SearchSpec, console: Console, started: float, *, resume: bool
) -> None:
    from raysearch.cli.search_view import SearchView
    from raysearch.searching.whole_search import search

    with ProgressLine(console, quiet=options.quiet) as progress:
        search(
            spec,
            storage=options.storage,
            name=options.name,
            address=options.address,
            resume=resume,
            warm_start=options.search.warm_start,
            observers=[SearchView(console, progress, quiet=options.quiet, job=options.job)],
            of_space=bool(options.search.space),
            started=started,
        )
