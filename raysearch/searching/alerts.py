"""Tells a web address of what a person would want to hear of a search: a webhook."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from raysearch.config.metric_table import metric_of
from raysearch.errors import UserError, first_line
from raysearch.ledger import Event
from raysearch.reporting.run_state import state_of
from raysearch.reporting.wording import figure
from raysearch.searching.observers import SearchObserver, Underway
from raysearch.searching.results import Run
from raysearch.trial_records import Trials

__all__ = ["Alerts", "checked_url"]

TIMEOUT_S = 10.0
# A search that gets better all the time is told of no oftener.
BEST_EVERY_S = 60.0
# What a pool says of its slots begins so.
SLOT = "slot "


def checked_url(url: str) -> str:
    """Return ``url``; raises UserError for what is no web address."""
    if not url.startswith(("http://", "https://")):
        raise UserError(f"--notify {url}: a web address, http://... or https://...")
    return url


class Alerts(SearchObserver):
    """Posts JSON when a trial is the best so far, a slot rests or is given up, the search ends.

    Each message has ``run``, ``event`` (``best``, ``slot`` or ``end``), and the same sentence as
    ``text`` and as ``content``, by which chat services know it. They are sent by a thread of their
    own, in order; one that cannot be sent is told once, and the search goes on.

    Args:
        url: where to.
        say: takes a line for the user.
    """

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        self._url, self._say = url, say
        self._run = ""
        self._best: float | None = None
        self._told = -BEST_EVERY_S
        self._waiting: queue.Queue[dict[str, str] | None] = queue.Queue()
        self._failed = False

    @contextmanager
    def watch(self, underway: Underway) -> Iterator[None]:
        """Send for as long as the search lasts, and of an error that ends it."""
        self._run = underway.run.root.name
        sender = threading.Thread(target=self._send_all, name="alerts", daemon=True)
        sender.start()
        try:
            yield
        except BaseException as error:
            self._tell("end", f"ended: {first_line(error)}")
            raise
        finally:
            self._waiting.put(None)
            sender.join(2 * TIMEOUT_S)

    def say(self, line: str) -> None:
        """Pass on what is said of slots."""
        if line.startswith(SLOT):
            self._tell("slot", line)

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell nothing: features are no news."""

    def changed(self, trials: Trials, event: Event) -> None:
        """Tell of a trial that is better than every other before."""
        if event.event != "epoch" or not (ranked := trials.ranked()):
            return
        best = ranked[0]
        if best.best_value is None or (self._best is not None and best.best_value <= self._best):
            return
        if time.monotonic() - self._told < BEST_EVERY_S:
            return
        self._best, self._told = best.best_value, time.monotonic()
        words = metric_of(trials.objective).in_words
        value = figure(trials.objective, best.best_metric)
        self._tell("best", f"trial {best.number:04d} is the best so far: {words} {value}")

    def ended(self, run: Run) -> None:
        """Tell how it ended."""
        state = state_of(run.outcome, is_alive=False, all_failed=run.trials.all_failed)
        self._tell("end", f"{state}: {run!r}")

    def _tell(self, event: str, sentence: str) -> None:
        text = f"{self._run}: {sentence}"
        self._waiting.put({"run": self._run, "event": event, "text": text, "content": text})

    def _send_all(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                requests.post(self._url, json=message, timeout=TIMEOUT_S).raise_for_status()
            except requests.RequestException as error:
                if not self._failed:
                    # Not its words, which hold the address: that is as good as a password.
                    answer = error.response
                    why = type(error).__name__ if answer is None else f"HTTP {answer.status_code}"
                    self._say(f"--notify: could not be told ({why}); going on")
                self._failed = True
