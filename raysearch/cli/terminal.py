"""Lines and one progress bar: what the terminal shows outside the live table."""

from types import TracebackType

from rich.console import Console
from rich.text import Text

from raysearch.cli.progress_bar import CountBar
from raysearch.cli.settings_table import settings_table
from raysearch.cli.tables import print_table
from raysearch.config.metric_table import metric_of
from raysearch.forecast.progress import outlook_of
from raysearch.reporting.prospects import in_full
from raysearch.reporting.sentences import print_sentence
from raysearch.reporting.wording import figure
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path, pasted
from raysearch.training.transductive import is_transductive, mark
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["ProgressLine", "heading", "plain_console", "show_outcome"]


def plain_console(*, quiet: bool = False) -> Console:
    """A console that prints names of files, speakers and labels as they are.

    To rich's markup ``[v1]`` is a style and ``:ok:`` a picture.
    """
    return Console(markup=False, emoji=False, highlight=False, quiet=quiet)


def heading(console: Console, word: str, rest: str) -> None:
    """Print a line that begins with ``word`` in bold."""
    console.print(Text.assemble((word, "bold"), f"  {rest}"), soft_wrap=True)


class ProgressLine:
    """A bar for whatever is being counted, on a terminal; a line at its end elsewhere."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: CountBar | None = None

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one; several lines stay as they are laid out."""
        if self._quiet:
            return
        if "\n" in line:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print_sentence(self._console, line)

    def update(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` of ``what``; the bar goes away when all are done."""
        if done >= total:
            self._stop()
            self.say(f"{what}: {total} done")
        elif self._console.is_terminal and not self._quiet:
            if self._bar is None or self._bar.what != what:
                self._stop()
                self._bar = CountBar(self._console, what, total)
                self._bar.start()
            self._bar.count(done, total)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def show_outcome(console: Console, run: RunFolder, spec: SearchSpec, trials: Trials) -> None:
    """The best trial, what it gains over the paper's settings run here, and where it is."""
    # Whatever runs no more, and has no other end, is still to be done.
    words = {"running": "unfinished"}
    counts = ", ".join(f"{n} {words.get(word, word)}" for word, n in trials.counts.items())
    console.print(f"{len(trials.records)} trials: {counts or 'none'}", highlight=False)
    ranked = trials.ranked()
    if ranked:
        best, metric = ranked[0], metric_of(trials.objective).in_words
        metric += mark(is_transductive(spec))
        console.print(
            f"best: trial {best.number:04d}, {metric} {figure(trials.objective, best.best_metric)} "
            f"at epoch {best.best_epoch} of {best.last_epoch}",
            highlight=False,
            markup=False,
            style="bold",
        )
        for line in _against_published(spec, trials, best):
            console.print(line, highlight=False, markup=False)
        if best.config:
            print_table(console, settings_table(best.config, spec.base.fields()))
    lines = [f"results: {display_path(run.root)}"]
    if ranked:
        outlook = outlook_of(spec, run.events(), trials)
        print_sentence(console, in_full(outlook, trials.objective, metric))
        figures = f"raysearch evaluate {pasted(run.root)}"
        lines.append(f"validation chose this model; for test figures: {figures}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _against_published(spec: SearchSpec, trials: Trials, best: TrialRecord) -> list[str]:
    first = trials.records.get(0)
    if not first or not first.published or not first.best_epoch:
        return []
    metric, whole = trials.objective, spec.published.epochs
    of = f" of {whole}" if whole else ""
    value = figure(metric, first.best_metric)
    line = f"published settings (the paper's), our data, {first.last_epoch}{of} epochs: {value}"
    if best.number == first.number:
        return [line + " (nothing searched was better)"]
    # Who trained longer had more chances: only the same number of epochs compares.
    shared = min(first.last_epoch, best.last_epoch)
    own, theirs = (one.best_within(shared, metric) for one in (best, first))
    if own is None or theirs is None:
        return [line + " (no epoch that both have trained compares)"]
    scale = metric_of(metric)
    gain = f"{scale.difference(own - theirs, '+')}{scale.unit}"
    if not whole or first.last_epoch >= whole:
        return [f"{line} ({gain} over the published settings rerun here, at equal epochs)"]
    return [
        f"{line} (the best trial at {shared} epochs: {gain})",
        f"not a gain over the published settings, which train {whole} epochs; "
        f"to train them whole: raysearch reproduce {spec.name}",
    ]
