"""Nets of a run that is over that neither its final model nor a resumption reads."""

import json
from collections.abc import Iterator
from contextlib import suppress

from raysearch.evaluation.final_model import PARTNER, load_final
from raysearch.published_folder import MANIFEST, former_of
from raysearch.run_folder import RACE, RunFolder
from raysearch.searching.leftover_kinds import Leftover
from raysearch.tuning.checkpoint_keeper import kept_checkpoints

__all__ = ["leftover_nets"]


def leftover_nets(run: RunFolder) -> list[Leftover]:
    """Return the checkpoints and retrained nets that can go; none of a run that is not over.

    The inner runs of ``evaluate --nested`` are looked at, too.

    Raises:
        RaysearchError: its ledger, its settings or its final model cannot be read.
    """
    if _races(run):
        return []
    inner = [RunFolder(folder) for folder in sorted(run.root.glob("nested/fold-*"))]
    return [one for each in (run, *inner) if each.spec_file.is_file() for one in _of(each)]


def _of(run: RunFolder) -> Iterator[Leftover]:
    model = load_final(run)
    if not run.is_over or model is None:
        return  # a search that goes on may need any of them
    trials, search = run.trials(), run.spec().search
    best = next((record for record in trials.ranked() if record.checkpoint), None)
    if best is None or best.trial != model.winner:
        return  # it went on since, and is to have another final model
    nets = [net for nets in (model.nets, *model.others.values()) for net in nets]
    needed = {run.root / path for path in kept_checkpoints(trials, search.keep_best)}
    needed |= {run.root / net.folder.relative_to(run.root.absolute()) for net in nets}
    needed |= {former_of(path) for path in needed if not path.exists()}
    for path in sorted(run.root.glob("checkpoints/*/*")):
        if path not in needed and path.is_dir() and not path.name.endswith(".tmp"):
            yield Leftover.at(path, "checkpoint")
    for path in sorted(run.root.glob("final/*/*/*")):
        # What a partner says of the validation rows decides its share when the search goes on.
        partner = path.parts[-3].startswith(PARTNER)
        if path not in needed and not partner and (path / MANIFEST).is_file():
            yield Leftover.at(path, "replaced net")


def _races(run: RunFolder) -> bool:
    """Whether it is one of a race that goes on: an end of its own search says nothing then."""
    with suppress(FileNotFoundError):
        record = json.loads((run.root.parent / RACE).read_text(encoding="utf-8"))
        return not (record.get("last_turn") or {}).get("done", False)
    return False
