"""No two modules have names that a reader could take for each other."""

from collections import defaultdict
from pathlib import Path

import raysearch

PACKAGE = Path(raysearch.__file__).parent
# Equal on purpose: a verb is named as what it calls, and own models import the two bases.
VERBS = {
    "ablate", "compare", "cross_corpus", "evaluate", "export", "leak_study", "predict", "replay",
    "reproduce", "run", "sweep",
}  # fmt: skip
BASES = {"base": {"config", "models"}}


def singular(name):
    return name.removesuffix("s") if not name.endswith("ss") else name


def test_no_two_modules_differ_by_their_folder_or_a_plural_alone():
    found = defaultdict(set)
    for file in PACKAGE.rglob("*.py"):
        folder = file.parent.relative_to(PACKAGE).as_posix()
        if file.stem.startswith("__") or (folder == "cli" and file.stem in VERBS):
            continue
        found[singular(file.stem)].add(file.relative_to(PACKAGE).as_posix())
    alike = {name: files for name, files in found.items() if len(files) > 1}
    allowed = {
        name: {f"{folder}/{name}.py" for folder in folders} for name, folders in BASES.items()
    }
    assert alike == allowed
