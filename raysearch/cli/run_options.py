"""The options of ``raysearch run``: what is searched, where, and how."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import (
    Setting,
    add_cluster,
    add_resume,
    add_search,
    add_storage,
    given_settings,
    names_several,
    places_of,
)
from raysearch.errors import UserError
from raysearch.run_folder import RACE, RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.replica import display_path
from raysearch.tracking.tracker_table import checked_trackers

__all__ = ["RunOptions", "SearchOptions"]

EXAMPLES = """examples:
  raysearch run --space emohrnet                     # on the demo corpus
  raysearch run --space cnn --corpus emodb --data EMO-DB/ --name emo
  raysearch run --space cnn --corpus emodb --data EMO-DB/ --dry-run
  raysearch run --space auto --corpus emodb --data EMO-DB/ --core-budget 30m
  raysearch run --space cnn --trials 20 --set training.learning_rate=1e-3
  raysearch run --resume --name emo                  # whatever ended it
"""


@dataclass(frozen=True)
class SearchOptions:
    """What is searched.

    Attributes:
        space: a name or path, ``auto``, or several names; None: the run's own settings.
        settings: dotted keys and values that are laid over it, in this order.
        warm_start: earlier runs, each a folder or ``URL/name``.
    """

    space: str | None
    settings: Sequence[Setting]
    warm_start: Sequence[str]

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "SearchOptions":
        """Read them from the parsed command line; raises ConfigError for a ``--set`` of no form."""
        settings = given_settings(arguments)
        return cls(arguments.space, settings, places_of(arguments.warm_start or ()))

    def spec(self, run: RunFolder | None = None) -> SearchSpec:
        """Build the settings of the search, or take those of ``run`` if no space is named.

        Raises:
            UserError: it cannot be.
        """
        space = self.space
        if run and not space:
            if not run.spec_file.is_file():
                raise UserError(f"{display_path(run.root)}: nothing to resume there")
            space = str(run.spec_file)
        if not space:
            raise UserError(
                "--space NAME|PATH is missing; only --resume --name RUN goes without it"
            )
        return SearchSpec.load(space, self.settings)


@dataclass(frozen=True)
class RunOptions:
    """``raysearch run``: a search, from nothing to the best model.

    Attributes:
        search: what is searched.
        storage: where runs and features are kept.
        name: of the run, if one is given.
        address: of a running Ray cluster, if there is one.
        resume: ``yes``; ``auto``: only if there is a run to resume; None: begin a new one.
        dry_run: only say what would be done.
        quiet: print the outcome alone.
        job: the submission that this process is, if it is one.
        without_gpus: whether trials are to have none.
        notify: the web address that is told of the search, if one is given.
        track: the names of the experiment trackers that are told of it.
    """

    search: SearchOptions
    storage: Path
    name: str | None
    address: str | None
    resume: str | None
    dry_run: bool
    quiet: bool
    job: str | None
    without_gpus: bool
    notify: str | None
    track: Sequence[str]

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        add_search(parser)
        add_storage(parser)
        add_cluster(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, and stop"
        )
        add_resume(parser)
        parser.add_argument("--job", help=argparse.SUPPRESS)  # this process is a submitted job's
        parser.add_argument("--quiet", action="store_true", help="only the outcome")
        parser.add_argument(
            "--notify",
            metavar="URL",
            help="post a line there, as JSON, of each new best, of slots that rest, and of the end",
        )
        parser.add_argument(
            "--track",
            metavar="NAME[,NAME]",
            help="log trials to experiment trackers while they run: mlflow, trackio, wandb",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "RunOptions":
        """Read them from the parsed command line.

        Raises:
            UserError: as ``SearchOptions.of`` does, or a tracker that is unknown or not installed.
        """
        return cls(
            search=SearchOptions.of(arguments),
            storage=arguments.storage,
            name=arguments.name,
            address=arguments.address,
            resume=arguments.resume,
            dry_run=arguments.dry_run,
            quiet=arguments.quiet,
            job=arguments.job,
            without_gpus=arguments.gpus_per_worker == 0,
            notify=arguments.notify,
            track=checked_trackers(arguments.track) if arguments.track else (),
        )

    def is_race(self, named: RunFolder | None) -> bool:
        """Whether systems race: asked for, or what is resumed is a race."""
        space = self.search.space
        resumed = named is not None and (named.root / RACE).is_file()
        return names_several(space) or (not space and resumed)
