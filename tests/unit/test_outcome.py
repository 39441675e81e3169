"""What the outcome says of the published settings: a gain at equal epochs, or none."""

import io
import re

import pytest
from rich.console import Console

from raysearch.cli.terminal import show_outcome
from raysearch.ledger import Ledger
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec


def outcome(folder, published, best, *, whole):
    """The outcome of two trials whose values by epoch these are."""
    run = RunFolder(folder)
    spec = SearchSpec.load(
        "emohrnet",
        [
            "search.objective=val_uar",
            f"published.settings.training.epochs={{value: {whole}, source: paper}}",
        ],
    )
    run.open(spec, resume=False)
    ledger = Ledger.open(run.ledger_file, 1)
    for number, values in enumerate((published, best)):
        event = {"trial": f"t{number}", "number": number, "attempt": 1, "slot": 0}
        ledger.append("started", config={}, published=number == 0, **event)
        for epoch, value in enumerate(values, 1):
            ledger.append("epoch", epoch=epoch, metrics={"val_uar": value}, train_s=1.0, **event)
        ledger.append("completed", **event)
    ledger.close()
    said = io.StringIO()
    show_outcome(Console(file=said, width=400), run, spec, run.trials())
    return said.getvalue()


def test_fewer_epochs_than_published_give_no_gain_over_what_was_published(tmp_path):
    said = outcome(tmp_path / "r", [0.2, 0.3], [0.5, 0.4, 0.6], whole=100)
    assert "our data, 2 of 100 epochs: 30.0% (the best trial at 2 epochs: +20.0 points)" in said
    assert "not a gain over the published settings, which train 100 epochs" in said
    assert "raysearch reproduce emohrnet" in said


@pytest.mark.parametrize("best", [[0.5, 0.4], [0.5, 0.4, 0.6]])
def test_a_gain_is_over_as_many_epochs(tmp_path, best):
    said = outcome(tmp_path / "r", [0.2, 0.3], best, whole=2)
    assert "(+20.0 points over the published settings rerun here, at equal epochs)" in said
    assert "not a gain" not in said


def test_nothing_better_is_said(tmp_path):
    said = outcome(tmp_path / "r", [0.2, 0.7], [0.5, 0.4], whole=100)
    assert "nothing searched was better" in said
    assert not re.search(r"\+\d+\.\d points", said.split("results:")[0].split("published")[1])
