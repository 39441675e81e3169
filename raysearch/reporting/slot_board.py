"""What the slots of a search do now, and in words why one of them trains nothing."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from raysearch.reporting.wording import age, one_line
from raysearch.workers.slot_news import SlotNews

__all__ = ["SlotBoard"]

# Between two trials a slot is free for a moment, and so is one whose rest has just ended.
FREE_S = 3.0


class SlotBoard:
    """Keeps the last news of each slot; whichever thread brings or asks them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By slot; what is of no slot has its state for a key.
        self._last: dict[int | str, tuple[SlotNews, float]] = {}

    def take(self, news: SlotNews) -> None:
        """Note what a slot does from now on."""
        key = news.state if news.slot is None else news.slot
        with self._lock:
            if news.state == "leaving" and news.number is None and key in self._last:
                # Its trial trains there until it has published.
                news = replace(news, number=self._last[key][0].number)
            if news.slot is None and not news.reason:
                self._last.pop(key, None)
            else:
                self._last[key] = news, time.monotonic()

    @property
    def heard(self) -> bool:
        """Whether there was any news of a slot."""
        with self._lock:
            return any(isinstance(key, int) for key in self._last)

    def slot_of(self, number: int) -> int | None:
        """Return the slot that trains the trial; None if none does."""
        with self._lock:
            for news, _ in self._last.values():
                if news.state in ("training", "leaving") and news.number == number:
                    return news.slot
        return None

    def waits(self) -> Sequence[tuple[str, str]]:
        """Tell of each slot that trains nothing, and why: its index, ``-`` for those not there.

        What may change by itself comes before what has closed for good, and that the newest first.
        """
        now = time.monotonic()
        with self._lock:
            last = list(self._last.values())
        closed = [(since, news) for news, since in last if news.state == "closed" and news.reason]
        closed.sort(key=lambda one: -one[0])
        found = [(news, _why(news, now, now - since)) for news, since in last]
        found += [(news, f"closed: {news.reason}") for _, news in closed]
        return [
            ("-" if news.slot is None else str(news.slot), one_line(why))
            for news, why in found
            if why
        ]


def _why(news: SlotNews, now: float, since_s: float) -> str:
    if news.state in ("waiting", "cut"):
        return news.reason
    if news.state == "starting":
        return f"its workers start ({age(since_s)})"
    if news.state == "leaving":
        return f"closes when its trial has published what it holds: {news.reason}"
    if news.state == "resting" and news.until is not None and news.until > now:
        return f"rests for {news.until - now:.0f} s: {news.reason}"
    if news.state in ("free", "resting"):
        rested_s = since_s if news.until is None else now - news.until
        return f"idle ({age(rested_s)}): no trial can start now" if rested_s >= FREE_S else ""
    return ""
