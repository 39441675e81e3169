"""Recorded searches go the same way again: proposals, seeds, prunings, pauses, promotions, ends.

``make_ledgers.py`` made the ledgers, and makes them anew when a search is meant to go otherwise.
"""

from pathlib import Path

import pytest
from ledger_replay import replay
from recorded_ledger import DivergedError
from recorded_searches import SEARCHES
from recording import LEDGERS, Recording

CPUINFO = Path("/proc/cpuinfo")
# Optuna sorts ties with numpy's sort, whose order of equal values is the processor's.
pytestmark = pytest.mark.skipif(
    not CPUINFO.is_file() or "avx2" not in CPUINFO.read_text(),
    reason="the ledgers were made on a processor with AVX2",
)

TESTS = Path(__file__).parents[1]
KEPT = sorted(path.name for path in LEDGERS.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The speech encoder of the searches that have one; also the way to what they import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TESTS / "unit"))
        patch.syspath_prepend(str(TESTS / "ray"))
        from tiny_encoder import write_file

        yield write_file(tmp_path_factory.mktemp("encoder"))


def test_each_ledger_can_be_made_again():
    assert set(SEARCHES) >= set(KEPT)


@pytest.mark.parametrize("name", KEPT)
def test_a_recorded_search_goes_the_same_way_again(name, tmp_path, encoder):
    replay(Recording.read(name), tmp_path, encoder)


# Where a search with another setting goes another way; what it says then.
CHANGES = {
    "the reduction factor of two slots": (
        "emohrnet",
        [("search.reduction_factor", 2)],
        "trains on",
    ),
    "the first rung of two slots": ("emohrnet", [("search.grace_epochs", 2)], "trains on"),
    "what is best": ("emohrnet", [("search.objective", "val_wa")], "nothing came"),
    "the rule of what was resumed": ("resumed", [("search.noise", 1)], "attempt is 2, was 1"),
    "the reduction factor": ("cnn", [("search.reduction_factor", 2)], "trains on"),
    "the first rung": ("cnn", [("search.grace_epochs", 2)], "trains on"),
    "the rule": ("cnn", [("search.scheduler", "asha")], "trains on|was let go|is 'p"),
    "what difference means nothing": ("cnn", [("search.noise", 1)], "trains on"),
    "where good values are expected": ("cnn", [("search.priors", False)], "config"),
    "a bound": (
        "cnn",
        [("space.spec_augment.freq_mask_width", {"uniform": [0.05, 0.36]})],
        "config",
    ),
    "the seed": ("cnn", [("search.seed", 1)], "trial is"),
    "asha's reduction factor": ("resnet34", [("search.reduction_factor", 2)], "trains on"),
    "asha's first rung": ("resnet34", [("search.grace_epochs", 2)], "trains on"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_search_is_noticed(change, tmp_path, encoder):
    name, overrides, says = CHANGES[change]
    with pytest.raises(DivergedError, match=says):
        replay(Recording.read(name), tmp_path, encoder, overrides=overrides)


@pytest.mark.parametrize("name", KEPT)
def test_another_seed_of_the_sampler_is_noticed(name, tmp_path, encoder):
    with pytest.raises(DivergedError, match="config"):
        replay(Recording.read(name), tmp_path, encoder, sampler_seed=77)
