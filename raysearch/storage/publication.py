"""Where a worker publishes what it trained, and in whose name."""

from dataclasses import dataclass

__all__ = ["Publication"]


@dataclass(frozen=True, slots=True)
class Publication:
    """What a worker needs to publish into a run's folder.

    Attributes:
        run_folder: the run's folder.
        fence: of the driver that the run belongs to; a later one's worker alone may publish.
        storage: the URL of the storage that the folder stands for, if it stands for one.
        driver: the host name of the driver's machine.
    """

    run_folder: str
    fence: int
    storage: str | None = None
    driver: str = ""
