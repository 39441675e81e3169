"""What is said of the budget that a race leaves."""

import pytest

from raysearch.race.leftover import leftover


@pytest.mark.parametrize(
    ("total", "used", "ended", "said"),
    [
        ({"core_s": 1800.0}, {"core_s": 1750.0}, "core budget", ""),
        ({"core_s": 1800.0}, {"core_s": 1900.0}, "core budget", ""),
        (
            {"core_s": 1800.0},
            {"core_s": 1200.0},
            "core budget",
            "10.0 core-minutes of 30.0 core-minutes, as the final model took less than was kept "
            "for it",
        ),
        (
            {"core_s": 1800.0, "epochs": 90.0},
            {"core_s": 960.0, "epochs": 90.0},
            "epoch budget",
            "14.0 core-minutes of 30.0 core-minutes, as the epoch budget is spent",
        ),
        (
            {"core_s": 1800.0, "trials": 12.0},
            {"core_s": 960.0, "trials": 12.0},
            "finished",
            "14.0 core-minutes of 30.0 core-minutes, as all trials are there",
        ),
        (
            {"core_s": 1800.0, "epochs": 90.0, "trials": 12.0},
            {"core_s": 960.0, "epochs": 45.0, "trials": 12.0},
            "finished",
            "14.0 core-minutes of 30.0 core-minutes, 45 epochs of 90 epochs, as all trials are "
            "there",
        ),
        ({"epochs": 90.0}, {"epochs": 45.0}, "", "45 epochs of 90 epochs"),
        (
            {"epochs": 90.0},
            {"epochs": 45.0},
            "finished",
            "45 epochs of 90 epochs, as the winner's further trials failed at once or repeated "
            "others",
        ),
    ],
)
def test_what_is_left_is_said_with_its_reason(total, used, ended, said):
    assert leftover(total, used, ended) == said
