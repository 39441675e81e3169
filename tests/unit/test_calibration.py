"""Confidence and temperature: found, applied, and written into the model card."""

import numpy as np
import pytest
from finished_run import finished_run
from paged_run import evaluated, predictions, recorded_run, with_data

from raysearch.evaluation.calibration import (
    MOST,
    at_temperature,
    calibration_error,
    temperature_of,
)
from raysearch.evaluation.probability_columns import probabilities
from raysearch.evaluation.stored_evaluations import stored_evaluations
from raysearch.published_folder import verify
from raysearch.reporting.tested_card import NO_FIGURES, write_tested_card


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_the_temperature_is_by_how_much_a_model_is_too_sure(too_sure):
    rng = np.random.default_rng(0)
    logits_NK = rng.normal(scale=2, size=(20_000, 4))
    probs_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(axis=1, keepdims=True)
    labels_N = (probs_NK.cumsum(axis=1) > rng.uniform(size=(len(probs_NK), 1))).argmax(axis=1)
    assert temperature_of(too_sure * np.log(probs_NK), labels_N) == pytest.approx(
        too_sure, rel=0.05
    )


def test_a_model_that_is_always_right_has_a_temperature_with_an_end():
    log_probs_NK = np.log(np.full((30, 3), 0.1) + 0.7 * np.eye(3)[np.arange(30) % 3])
    assert 1 / MOST <= temperature_of(log_probs_NK, np.arange(30) % 3) < 0.1


def test_a_temperature_changes_no_prediction_and_mends_the_error():
    table = predictions(0, right=0.9, seeds=4)
    labels_N = np.array(
        [sorted({*table["emotion"].to_pylist()}).index(e) for e in table["emotion"].to_pylist()]
    )
    order = sorted({*table["emotion"].to_pylist()})
    probs_NK = np.stack([table[f"p_{one}"].to_numpy() for one in order], axis=1)
    temperature = temperature_of(np.log(probs_NK), labels_N)
    scaled = at_temperature(table, temperature)
    assert (
        probabilities(scaled).argmax(axis=1).tolist()
        == probabilities(table).argmax(axis=1).tolist()
    )
    assert probabilities(scaled).sum(axis=1) == pytest.approx(1)
    assert temperature < 1  # right more often than it is sure of
    assert calibration_error(scaled) < calibration_error(table)


def test_a_class_that_a_folds_model_does_not_know_stays_at_nothing():
    table = predictions(0)
    column = table.column_names.index("p_joy")
    table = table.set_column(column, "p_joy", [[0.0] * table.num_rows])
    assert at_temperature(table, 2.0)["p_joy"].to_pylist() == [0.0] * table.num_rows


def test_the_card_gets_its_test_figures_and_the_folder_stays_whole(tmp_path):
    run, _, _ = finished_run(tmp_path)
    card = run.best / "model_card.md"
    assert NO_FIGURES in card.read_text()
    weights = {path.name: path.read_bytes() for path in run.best.glob("*.safetensors")}
    other = evaluated(with_data(recorded_run(tmp_path / "other")))
    stored = stored_evaluations(other)
    stored["fold"] |= {"temperatures": [1.5], "ece_at_temperature": 0.012}
    stored["fold"]["js"] = {"mean": 0.1234, "per_seed": [0.1234], "interval": [0.1, 0.2]}
    for _ in range(2):  # asked again, it is written again
        write_tested_card(run, stored, "t")
        text = card.read_text()
        verify(run.best)
    assert NO_FIGURES not in text
    assert "on the fold of this model; 8 test speakers" in text
    assert f"| UA | {100 * stored['fold']['ua']['mean']:.1f}% |" in text
    assert "1.2% at the temperature that inner validation gives (1.50)" in text
    assert "demo/s03" in text
    assert text.count("- UA by sex: female ") == 2  # a line for each evaluation
    assert "- UA by accent: accent 0 " in text
    assert "speakers of one fold: holds for these trainings alone, Holm p = " in text
    assert "- accent 0 and accent 1 cannot be tested: " in text
    assert "| JS divergence from the votes | 0.123 | 0.100 to 0.200 |" in text
    assert text.count("<!-- test figures -->") == 1
    assert text.index("optimistic") > text.index("on the fold")
    assert {path.name: path.read_bytes() for path in run.best.glob("*.safetensors")} == weights
    write_tested_card(run, stored, "another winner")
    assert card.read_text() == text  # its figures are not this model's


def test_a_card_of_an_earlier_version_stays_as_it_is(tmp_path):
    run, _, _ = finished_run(tmp_path)
    card = run.best / "model_card.md"
    card.write_text("old")
    write_tested_card(run, {}, None)
    assert card.read_text() == "old"
