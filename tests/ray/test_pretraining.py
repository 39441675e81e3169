"""A small search whose trials start from a net of another corpus, and what it refuses."""

import os

import pytest
import torch
from small_command import SMALL
from tiny_search import search, small_spec

from raysearch.cli.main import run_command
from raysearch.corpora.demo import synthesise
from raysearch.evaluation.evaluate import evaluate
from raysearch.evaluation.final_model import load_final
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.reporting.best_model import write_best
from raysearch.run_lease import RunLease
from raysearch.training.checkpoint import load_tensors
from raysearch.training.start_weights import PRETRAINED, WEIGHTS
from raysearch.tuning.start_record import kept_record
from raysearch.tuning.tuner import Watcher

pytestmark = pytest.mark.ray

SAVEE = {1: "DC", 3: "JE"}
CODES = {"01": "n", "03": "h", "04": "sa", "05": "a", "06": "f", "07": "d", "08": "su"}


@pytest.fixture(scope="module")
def demo(storage):
    return synthesise(storage)


@pytest.fixture(scope="module")
def savee(demo, tmp_path_factory):
    """Two of the demo corpus' men as if they were SAVEE's."""
    root = tmp_path_factory.mktemp("savee")
    for actor, name in SAVEE.items():
        folder = root / "AudioData" / name
        folder.mkdir(parents=True)
        for path in sorted((demo / f"Actor_{actor:02}").glob("*.wav")):
            _, _, code, _, statement, repetition, _ = path.stem.split("-")
            if code in CODES:
                number = 2 * (int(statement) - 1) + int(repetition)
                os.link(path, folder / f"{CODES[code]}{number:02}.wav")
    return root


def manifest(demo, actors, name):
    rows = [
        f"{path},{path.stem.split('-')[2]},{actor}"
        for actor in actors
        for path in sorted((demo / f"Actor_{actor:02}").glob("*.wav"))
    ]
    path = demo.parent / f"{name}.csv"
    path.write_text("\n".join(["path,emotion,speaker", *rows]))
    return path


@pytest.fixture(scope="module")
def women(demo):
    """Its women as a corpus of their own."""
    return manifest(demo, range(2, 13, 2), "women")


@pytest.fixture(scope="module")
def spec(women, savee):
    return small_spec(
        corpus__name="manifest",
        corpus__data=str(women),
        pretrain__on="savee",
        pretrain__data=str(savee),
        pretrain__epochs=1,
        # So small that weights stay where they start.
        training__learning_rate=1e-7,
        training__weight_decay=0.0,
        search__defaults_first=True,
        search__published_first=False,
        search__scheduler="none",
        search__trials=2,
        search__final="refit",
        search__final_seeds=1,
        search__fusion=False,
    )


@pytest.fixture(scope="module")
def searched(spec, storage, cluster):
    said = []
    return search(
        spec,
        storage,
        "started",
        cluster,
        finals=("refit", "single"),
        start=True,
        say=said.append,
    )[0], said


def starts_there(run, weights):
    """Whether all layers are those of the run's start, but for the classifier."""
    start, own = load_tensors(run.root / PRETRAINED / WEIGHTS), load_tensors(weights)
    layers = {n for n, t in own.items() if t.ndim > 1 and not n.startswith("classifier")}
    assert len(layers) > 10
    assert own["classifier.weight"].shape != start["classifier.weight"].shape
    return all(torch.allclose(own[n], start[n], atol=1e-4) for n in layers)


def test_one_net_is_learned_first_and_kept_with_what_it_heard(searched):
    run, said = searched
    record = kept_record(run.root / PRETRAINED)
    assert record.epochs == 1
    assert 0 < record.wall_s <= record.core_s
    assert record.learned == "56 recordings of 2 speakers of savee"
    assert any(line.startswith("trials start from a net of savee: ") for line in said)
    learned = Learned.read(run.root / PRETRAINED / LEARNED_FROM)
    assert learned.speakers == {f"savee/{name}" for name in SAVEE.values()}
    assert not (run.root / "pretraining").exists(), "what it was made of is gone"


def test_every_trial_and_what_is_made_of_them_starts_from_it(searched):
    run, _ = searched
    digest = kept_record(run.root / PRETRAINED).digest
    for record in run.trials().records.values():
        assert record.status == "completed"
        assert record.config["training.pretrained"] == digest
        assert starts_there(run, run.root / record.checkpoint[0] / "best.safetensors")
    (refit,) = (net for net in load_final_as(run, "refit").nets)
    assert starts_there(run, refit.weights)


def load_final_as(run, method):
    kept = (run.root / "final.json").read_text()
    try:
        (run.root / "final.json").write_text((run.root / f"{method}.json").read_text())
        return load_final(run)
    finally:
        (run.root / "final.json").write_text(kept)


def test_a_resumption_learns_nothing_again(searched, spec, storage, cluster):
    run, _ = searched
    before = (run.root / PRETRAINED / "start.json").read_bytes()
    more = spec.from_dict({**spec.to_dict(), "search": {**spec.to_dict()["search"], "trials": 3}})
    said = []
    _, trials = search(more, storage, "started", cluster, resume=True, start=True, say=said.append)
    assert (run.root / PRETRAINED / "start.json").read_bytes() == before
    assert not [line for line in said if line.startswith("pre-training")]
    assert len(trials.records) == 3
    assert starts_there(run, run.root / trials.records[2].checkpoint[0] / "best.safetensors")


@pytest.mark.slow
def test_retrainings_start_from_it_and_the_figures_say_so(searched, storage, cluster):
    run, _ = searched
    watcher = Watcher(lambda line: None, lambda *counts: None)
    with RunLease.acquire(run.root) as lease:
        figures = evaluate(run, "fold", cluster, lease, storage=storage, watcher=watcher)
    (note,) = [note for note in figures["notes"] if note.startswith("trials started from")]
    assert "2 speakers of savee, of whom none is tested" in note
    retrained = list(run.root.glob("refits/*/seed-*/weights/best.safetensors"))
    assert len(retrained) == 2
    assert all(starts_there(run, weights) for weights in retrained)


def command(*options, storage):
    return ["run", *SMALL, "--storage", str(storage), "--name", "refused", *map(str, options)]


def test_the_same_recordings_under_another_name_are_refused(savee, storage, capsys):
    given = command("--pretrain-on=savee", f"--pretrain-data={savee}", storage=storage)
    for extra in ([], ["--dry-run"]):
        assert run_command([*given, *extra]) == 3
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert "a net of savee learned from" in lines[0]
        assert "recording(s)" in lines[0]
    assert not (storage / "refused").exists()


def test_the_same_speakers_are_refused(storage, capsys):
    assert run_command(command("--pretrain-on=demo", storage=storage)) == 3
    assert "a net of demo learned from" in capsys.readouterr().err


def test_a_dry_run_says_what_trials_would_start_from(savee, women, storage, capsys):
    given = ["--corpus=manifest", f"--data={women}", "--pretrain-on=savee"]
    options = (*given, f"--pretrain-data={savee}", "--dry-run")
    assert run_command(command(*options, storage=storage)) == 0
    out = capsys.readouterr().out
    assert "start: a net of savee, to be learned first, 2 epochs from 56 recordings of 2" in out


def test_an_earlier_run_is_started_from_unless_it_knows_who_is_tested(
    searched, demo, savee, women, storage, capsys
):
    run, _ = searched
    labels = [f"0{number}" for number in range(1, 9)]
    write_best(run, run.spec(), run.trials(), labels, {})
    given = [f"--pretrained={run.root}", "--set=model.width=12", "--dry-run", "--corpus=manifest"]
    others = manifest(demo, (5, 7, 9, 11), "others")
    one_tested = "--set=protocol.folds=leave_one_speaker_out"
    assert run_command(command(*given, f"--data={others}", one_tested, storage=storage)) == 0
    out = capsys.readouterr().out
    assert "start: the model of started: " in out
    assert "(100.0% of the values)" in out, "equal classes take the classifier over, too"
    assert "model.width=8" in out
    # What it has learned itself, and what it started from.
    everyone = manifest(demo, (1, 3, 5, 7, 9, 11), "men")
    for options in ([f"--data={women}"], [f"--data={everyone}", one_tested]):
        assert run_command(command(*given, *options, storage=storage)) == 3, options
        assert "the model of started learned from" in capsys.readouterr().err
