"""The page of a run that is searched on this machine, which may be steered from it."""

from collections.abc import Mapping

from raysearch.errors import UserError
from raysearch.page.followed_run import FollowedRun
from raysearch.page.headline import is_searched_here, page_state
from raysearch.page.live_page import LivePage
from raysearch.run_folder import RunFolder
from raysearch.searching.results import Run
from raysearch.steering import checked_command, in_words, leave_command

__all__ = ["page_of"]


def page_of(run: RunFolder, *, attention: bool = True) -> LivePage:
    """Return the live page of a local run; what it asks for is left for the run's search.

    Args:
        run: the run.
        attention: as ``FollowedRun`` takes it.
    """
    found = Run(run.root)
    followed = FollowedRun(found, attention=attention)

    def steer(asked: Mapping[str, object]) -> str:
        if not is_searched_here(run):
            state = page_state(found, run.events(), all_failed=run.trials().all_failed)
            raise UserError(f"nobody searches here ({state}): raysearch run --resume goes on")
        command = checked_command(asked, run.spec(), run.trials())
        leave_command(run, command)
        return f"asked for: {in_words(command)}; done when the next epoch ends"

    return LivePage(followed.document, steer=steer)
