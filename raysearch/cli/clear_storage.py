"""``raysearch gc``: what a storage can do without, and its removal."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.storage_options import GcOptions
from raysearch.cli.tables import plain_table, print_table
from raysearch.errors import UserError
from raysearch.reporting.wording import one_line, size
from raysearch.run_folder import RACE
from raysearch.searching.bucket_upkeep import find_in_bucket, remove_from_bucket
from raysearch.searching.leftover_kinds import Leftover
from raysearch.searching.storage_upkeep import Leftovers, find_leftovers, remove_leftovers
from raysearch.storage.kept_runs import SPEC
from raysearch.storage.replica import display_path, replica_of

__all__ = ["clear", "leftovers_table"]


def clear(options: GcOptions) -> int:
    """Carry the verb out."""
    leftovers = _leftovers(options)
    if options.json:
        print(json.dumps(_facts(leftovers, options), indent=1))
        return 0
    console = Console()
    if leftovers.found:
        print_table(console, leftovers_table(leftovers.found, options.storage))
    for note in leftovers.notes:
        print(one_line(note))
    total = size(sum(one.num_bytes for one in leftovers.found))
    if not leftovers.found:
        print(f"{display_path(options.storage)}: nothing can go")
    elif options.remove:
        print(f"{total} removed")
    else:
        print(f"{total} can go; nothing was removed: add --remove")
    return 0


def _leftovers(options: GcOptions) -> Leftovers:
    if any((options.storage / name).is_file() for name in (SPEC, RACE)):
        place = display_path(options.storage)
        raise UserError(f"{place}: a run, not the storage that it is in: name that")
    if replica := replica_of(options.storage):
        replica.objects.reach()
        return remove_from_bucket(replica) if options.remove else find_in_bucket(replica)
    if options.remove:
        return remove_leftovers(options.storage)
    return find_leftovers(options.storage)


def leftovers_table(found: Sequence[Leftover], storage: Path) -> Table:
    """Draw what can go: one row a file or folder, and a row a kind at the end."""
    table = plain_table("what", "where below the storage")
    table.add_column("size", justify="right", no_wrap=True)
    for one in found:
        place = one_line(one.path.relative_to(storage))
        table.add_row(one.kind, Text(place), size(one.num_bytes))
    totals = Counter[str]()
    for one in found:
        totals[one.kind] += one.num_bytes
    if len(found) > 1:
        table.add_section()
        for kind, num_bytes in totals.items():
            number = sum(one.kind == kind for one in found)
            table.add_row(Text(kind, "bold"), f"{number} in all", Text(size(num_bytes), "bold"))
    return table


def _facts(leftovers: Leftovers, options: GcOptions) -> dict[str, object]:
    return {
        "removed": options.remove,
        "bytes": sum(one.num_bytes for one in leftovers.found),
        "found": [
            {"kind": one.kind, "path": display_path(one.path), "bytes": one.num_bytes}
            for one in leftovers.found
        ],
        "notes": leftovers.notes,
    }
