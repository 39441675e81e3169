"""Transductive figures: a whole search or none of it, marked wherever they stand, never mixed."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from protocol_corpora import regular

from raysearch.__main__ import main
from raysearch.config.shipped_spaces import shipped_spaces
from raysearch.errors import ConfigError, UserError
from raysearch.evaluation.final_model import FinalModel, Net
from raysearch.evaluation.leak_study import check_spec
from raysearch.evaluation.scores import score
from raysearch.evaluation.transductive_notes import check_alike, transductive_notes
from raysearch.files import write_json
from raysearch.ledger import Ledger, read
from raysearch.protocols.audit import audit
from raysearch.protocols.splits import ProtocolConfig, make_split
from raysearch.reporting.leaderboard import write_leaderboard
from raysearch.reporting.model_card import model_card
from raysearch.reporting.summary import write_summary
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec, trial_identity
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.transductive import NOTE, is_transductive

SPEAKER = "training.normalise=speaker"
SEARCHED = "space.training.normalise={choice: [%s]}"
PUBLISHED = "published.settings.training.normalise={value: %s, source: paper}"
WARM = "search.warm_start={origin: a, saw_test: false, settings: [{training.normalise: %s}]}"


@pytest.mark.parametrize("name", shipped_spaces())
def test_one_setting_makes_a_shipped_space_transductive(name: str) -> None:
    spec = SearchSpec.load(name, [SPEAKER])
    assert is_transductive(spec)
    assert is_transductive(spec.resolve({}))
    assert "training.normalise" not in spec.space.fields
    assert not is_transductive(SearchSpec.load(name))


@pytest.mark.parametrize(
    "settings",
    [
        [SEARCHED % "utterance, speaker"],
        [SEARCHED % "speaker"],
        [SPEAKER, SEARCHED % "train_bin, speaker"],
        [PUBLISHED % "speaker"],
        [SPEAKER, PUBLISHED % "train_bin"],
        [WARM % "speaker"],
        [SPEAKER, WARM % "utterance"],
    ],
)
def test_a_search_of_both_kinds_is_refused_in_one_line(settings: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"are not ranked with others: .*--set") as caught:
        SearchSpec.load("cnn", settings)
    assert "\n" not in str(caught.value)


def test_an_svm_may_be_normalised_by_speaker_but_not_by_utterance() -> None:
    assert is_transductive(SearchSpec.load("svm", [SPEAKER]))
    with pytest.raises(ConfigError, match="nothing to tell: set it to train_bin"):
        SearchSpec.load("svm", ["training.normalise=utterance"])


def test_whose_a_row_is_names_a_trial_only_where_it_counts() -> None:
    corpus = regular(5)
    split = make_split(corpus, ProtocolConfig())
    audited = AuditedSplit(corpus, split, audit(split))
    plain, by_speaker = SearchSpec.load("cnn"), SearchSpec.load("cnn", [SPEAKER])
    assert "speakers" not in split.identity()
    assert audited.identity(plain) == split.identity()
    named = audited.identity(by_speaker)
    assert named["speakers"] == [row.speaker for row in (*split.train, *split.validation)]
    assert {**split.identity(), "speakers": named["speakers"]} == named
    ids = {trial_identity(by_speaker.base, data, 1, 0) for data in (named, split.identity())}
    assert len(ids) == 2


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """One finished trial of a transductive search."""
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    spec = SearchSpec.load("cnn", [SPEAKER])
    folder.spec_file.write_text(spec.to_yaml())
    ledger = Ledger.open(folder.ledger_file, 1)
    event = {"trial": "t0", "number": 0, "attempt": 1, "slot": 0}
    ledger.append("started", config={"model.width": 16}, **event)
    metrics = {"val_uar": 0.5, "val_wa": 0.6, "val_macro_f1": 0.4, "val_loss": 1.0}
    ledger.append("epoch", epoch=1, metrics=metrics, train_s=1.0, num_params=7, **event)
    ledger.append("completed", **event)
    ledger.close()
    return folder


def test_every_file_of_a_search_says_so(run: RunFolder, capsys: pytest.CaptureFixture) -> None:
    spec, trials = run.spec(), run.trials()
    write_leaderboard(run, spec, trials)
    with (run.root / "leaderboard.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["transductive"] == "True"
    board = (run.root / "leaderboard.md").read_text()
    assert "val UA (transductive)" in board
    assert NOTE in board
    assert write_summary(run, read(run.ledger_file), trials)["transductive"] is True
    (record,) = trials.records.values()
    model = FinalModel("single", record.trial, (Net(0, spec.base, run.root),))
    card = model_card(spec, record, record.epochs[1], ["calm", "sad"], {}, model, first=True)
    assert "All figures of this model are transductive" in card
    plain = SearchSpec.load("cnn")
    write_leaderboard(run, plain, trials)
    assert "ransductive" not in (run.root / "leaderboard.md").read_text()
    card = model_card(plain, record, record.epochs[1], ["calm", "sad"], {}, model, first=True)
    assert "ransductive" not in card


def predictions(speakers: list[str]) -> pa.Table:
    """Two seeds' answers, all of them right."""
    rows = [
        {
            "utterance": f"{speaker}-{number}",
            "corpus": "made",
            "speaker": speaker,
            "sex": "female",
            "fold": 0,
            "seed": seed,
            "emotion": emotion,
            "predicted": emotion,
            "p_calm": float(emotion == "calm"),
            "p_sad": float(emotion == "sad"),
        }
        for seed in range(2)
        for number, speaker in enumerate(speakers)
        for emotion in ["calm" if number % 2 else "sad"]
    ]
    return pa.Table.from_pylist(rows)


def test_notes_name_speakers_of_a_single_recording() -> None:
    config = SearchSpec.load("cnn", [SPEAKER]).base
    table = predictions(["a", "a", "b", "c", "c"])
    assert transductive_notes(config, [predictions(["a", "a"])]) == [NOTE]
    note, alone = transductive_notes(config, [table])
    assert note == NOTE
    assert alone.startswith("1 speaker(s) with a single recording")
    assert "made/b (test)" in alone
    assert transductive_notes(SearchSpec.load("cnn").base, [table]) == []


def evaluated(folder: Path, spec: SearchSpec) -> Path:
    """A run with an evaluation of its fold."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text(spec.to_yaml())
    table = predictions(["a", "a", "b", "b"])
    figures = score(
        table,
        protocol="speaker_independent",
        where={"fold": 0, "transductive": is_transductive(spec)},
        notes=transductive_notes(spec.base, [table]),
    )
    write_json(folder / "evaluation.json", {"mode": "fold", **figures, "beside": {}})
    pq.write_table(table, folder / "predictions-fold.parquet")
    return folder


def test_an_evaluation_shows_it_in_its_title(run: RunFolder, capsys: pytest.CaptureFixture) -> None:
    evaluated(run.root, run.spec())
    assert main(["evaluate", str(run.root)]) == 0
    shown = capsys.readouterr().out
    assert "fold 0 (the searched fold, transductive)" in shown
    assert f"note: {NOTE}" in shown


def test_comparisons_keep_the_kinds_apart(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    plain, by_speaker = SearchSpec.load("cnn"), SearchSpec.load("cnn", [SPEAKER])
    runs = [
        str(evaluated(tmp_path / name, spec))
        for name, spec in (("a", plain), ("b", by_speaker), ("c", by_speaker))
    ]
    assert main(["compare", *runs]) == 2
    said = capsys.readouterr().err
    assert "b (transductive)" in said
    assert "not compared with inductive ones" in said
    assert len(said.splitlines()) == 1
    assert main(["compare", *runs[1:]]) == 0
    assert f"differences from {runs[1]}, transductive" in " ".join(capsys.readouterr().out.split())
    assert main(["compare", *runs[1:], "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)
    assert pair["transductive"] is True


def test_a_matrix_holds_one_kind() -> None:
    check_alike({"emodb": True, "savee": True})
    check_alike({})
    with pytest.raises(UserError, match=r"emodb, savee \(transductive\): .* runs of one kind"):
        check_alike({"emodb": False, "savee": True})


def test_the_leak_study_takes_no_speaker_statistics() -> None:
    check_spec(SearchSpec.load("cnn"))
    with pytest.raises(UserError, match=r"leak-study: .*several recordings of each speaker"):
        check_spec(SearchSpec.load("cnn", [SPEAKER]))
