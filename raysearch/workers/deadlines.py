"""How long a group may take over a command before its ranks count as hung.

A collective that one rank never joins, a read from a dead mount, a kernel that never returns: no
error comes, and the process lives. All there is to go by is what commands took before.

=============  ==========================================  ====================================
command        may take                                    because
=============  ==========================================  ====================================
epoch          10 times the trial's slowest so far here,   its epochs are much alike
               at least ten minutes
first epoch    50 times the slowest of any trial here, at  models differ in size
               least half an hour
start          20 times the slowest here, at least half    the first of a feature set loads it
               an hour
finish, drop   10 times the slowest command here, at       a checkpoint is sent
               least ten minutes
=============  ==========================================  ====================================

Before anything was seen there is no deadline: a first epoch may take days. The minutes are more
than a storage that is away is waited for; ``search.hang_s`` sets others.
"""

from collections import defaultdict

__all__ = ["SHORT_S", "Deadlines"]

SHORT_S, LONG_S = 600.0, 1800.0


class Deadlines:
    """Sets a time limit for each command, from what earlier ones took on the slot.

    Args:
        short_s: the least that any command may take.
        long_s: the least that a command may take that little is known of.
    """

    def __init__(self, short_s: float = SHORT_S, long_s: float = LONG_S) -> None:
        self._short_s, self._long_s = short_s, long_s
        self._slowest: defaultdict[str, float] = defaultdict(float)
        self._own_epoch = 0.0

    def took(self, kind: str, seconds: float) -> None:
        """Note that a command of ``kind`` took so many seconds.

        A ``start`` begins a trial, or a further attempt of one.
        """
        self._slowest[kind] = max(self._slowest[kind], seconds)
        if kind == "start":
            self._own_epoch = 0.0
        elif kind == "epoch":
            self._own_epoch = max(self._own_epoch, seconds)

    def of(self, kind: str) -> float | None:
        """Return the seconds that the next ``kind`` may take; None before anything was seen."""
        if kind == "epoch" and self._own_epoch:
            return max(self._short_s, 10 * self._own_epoch)
        if kind in ("epoch", "start"):
            multiple = {"epoch": 50, "start": 20}[kind]
            seen = self._slowest.get(kind)
            return max(self._long_s, multiple * seen) if seen else None
        seen = max(self._slowest.values(), default=0.0)
        return max(self._short_s, 10 * seen) if seen else None
