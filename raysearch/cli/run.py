"""``raysearch run``: a search, from nothing to the best model.

What is imported inside functions brings Ray and torch, for which settings that are refused need not
wait.
"""

import psutil

from raysearch.cli.run_options import RunOptions
from raysearch.cli.terminal import plain_console
from raysearch.errors import UserError
from raysearch.imports import without_collections
from raysearch.run_folder import RunFolder

__all__ = ["run"]


def run(options: RunOptions) -> int:
    """Carry the verb out."""
    started = psutil.Process().create_time()
    console = plain_console()
    named = _named(options) if options.resume else None
    if options.is_race(named):
        if options.notify:
            raise UserError("--notify: of one system's search; a race of several tells nobody")
        if options.track:
            raise UserError("--track: of one system's search; a race of several is not tracked")
        from raysearch.cli.race import race

        return race(options, _named(options), console)
    if options.resume == "auto" and named is None:
        raise UserError("--resume auto asks for --name RUN")
    resume = bool(options.resume)
    if options.resume == "auto" and named is not None:
        resume = named.spec_file.is_file()
    with without_collections():
        spec = options.search.spec(named if resume else None)

        from raysearch.cli.search_start import estimate_search, start_search

    if options.dry_run:
        return estimate_search(options, spec, named if resume else None, console)
    start_search(options, spec, console, started, resume=resume)
    return 0


def _named(options: RunOptions) -> RunFolder | None:
    """The folder of ``--name``, as it is in its storage now; raises UserError for no such name."""
    from raysearch.searching.whole_search import named_run

    return None if options.name is None else named_run(options.storage, options.name)
