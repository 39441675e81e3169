"""What a report of an epoch tells, besides what it carries."""

from raysearch.workers.epoch_report import EpochReport


def test_its_figures_are_the_metrics_and_what_a_slot_shows_of_the_trial():
    report = EpochReport(3, epoch=2, metrics={"val_uar": 0.5, "val_loss": 1.2}, train_s=4.0)
    assert report.figures == {
        "number": 3,
        "epoch": 2,
        "train_s": 4.0,
        "val_uar": 0.5,
        "val_loss": 1.2,
    }
