"""Earlier runs' best settings, tried first and owned up to."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
from fake_slots import FakeSearch, small_spec
from protocol_corpora import row

from raysearch.cli.options import places_of
from raysearch.config.search import WarmStart
from raysearch.errors import ConfigError, MissingPathError
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.storage.run_storage import existing_run
from raysearch.tuning.likeness import DataFacts, facts_of_run, facts_of_split, likeness
from raysearch.tuning.warm_start import run_name, warm_start


def split(*test_ids, corpus="demo"):
    rows = tuple(replace(row(name, "s", "sad"), corpus=corpus) for name in test_ids)
    return Split("speaker_independent", 0, 6, (), (), rows)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    spec = small_spec(search__trials=6, search__scheduler="none")
    run = RunFolder(tmp_path_factory.mktemp("runs") / "earlier")
    run.open(spec, resume=False)
    FakeSearch(run.root, spec).run()
    with run.splits_file.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["utterance", "speaker", "fold", "split"])
        writer.writerows(
            [["a", "s", 0, "train"], ["b", "s", 0, "validation"], ["c", "t", 0, "test"]]
        )
    return run


def test_the_best_three_run_after_the_published_ones(earlier, tmp_path):
    spec = small_spec(search__trials=8, search__scheduler="none", search__seed=5)
    given = warm_start([earlier], spec, split("c"))
    best = [earlier.spec().resolve(r.config).fields() for r in earlier.trials().ranked()[:3]]
    assert [dict(s) for s in given.settings] == [{k: f[k] for k in spec.space.fields} for f in best]
    assert ([one.run for one in given.origins], given.saw_test) == (["earlier"], False)
    assert [(run, rank) for run, rank, _ in given.taken] == [("earlier", n) for n in (1, 2, 3)]
    warm = replace(spec, search=spec.search.model_copy(update={"warm_start": given}))
    tried = FakeSearch(tmp_path / "warm", warm).run().trials.records
    assert tried[0].details.get("published")
    assert [tried[n].config for n in (1, 2, 3)] == [dict(s) for s in given.settings]
    assert len(tried) == 8
    assert warm.from_dict(warm.to_dict()) == warm


@pytest.mark.parametrize(
    ("names", "corpus", "saw"),
    [(["c", "d"], "demo", False), (["c", "b"], "demo", True), (["a"], "emodb", False)],
)
def test_it_says_whether_the_earlier_run_saw_a_test_row(earlier, names, corpus, saw):
    given = warm_start([earlier], small_spec(), split(*names, corpus=corpus))
    assert given.saw_test is saw


def sees(earlier, spec, name, corpus):
    return warm_start([earlier], spec, split(name, corpus=corpus)).saw_test


@pytest.fixture
def copy(earlier, tmp_path):
    shutil.copytree(earlier.root, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


@pytest.mark.parametrize(
    "text",
    [None, "", "utterance,speaker,fold,split\n", "name,side\na,test\n", "\xff\xfe"],
    ids=["none", "empty", "header", "other columns", "other encoding"],
)
def test_a_run_that_does_not_show_its_splits_has_seen_everything(copy, text):
    copy.splits_file.unlink()
    if text is not None:
        copy.splits_file.write_text(text, encoding="latin-1")
    assert sees(copy, small_spec(), "c", "demo")
    assert not sees(copy, small_spec(corpus__name="emodb"), "c", "emodb")  # another's recordings


def test_tables_of_ones_own_are_alike_only_if_they_are_the_same(copy):
    def of(name, data):
        return small_spec(corpus__name=name, corpus__data=data)

    copy.spec_file.write_text(of("manifest", "/a.csv").to_yaml())
    assert not sees(copy, of("manifest", "/a.csv"), "c", "manifest")
    assert sees(copy, of("manifest", "/a.csv"), "a", "manifest")
    assert sees(copy, of("manifest", "/b.csv"), "c", "manifest")
    assert sees(copy, of("savee", "/s"), "c", "savee")


def test_one_corpus_is_known_among_several(copy):
    joined = small_spec(corpus__name="demo,savee", corpus__data=",/s")
    assert sees(copy, joined, "demo/b", "demo")
    assert not sees(copy, joined, "demo/c", "demo")


@pytest.mark.parametrize(
    ("inherited", "name", "saw"), [(True, "c", 1), (False, "c", 0), (0, "d", 1)]
)
def test_what_an_earlier_run_inherited_counts(copy, inherited, name, saw):
    spec = copy.spec()
    given = WarmStart(origins=({"run": "first"},), settings=(), saw_test=bool(inherited))
    search = spec.search.model_copy(update={"warm_start": given})
    copy.spec_file.write_text(replace(spec, search=search).to_yaml())
    assert sees(copy, small_spec(), name, "demo") is bool(saw)


def test_what_goes_back_to_other_corpora_has_seen_what_it_did_not_test(copy):
    """A run on one corpus, tried after a run on another, is asked about that other again."""
    plain = replace(copy.spec(), corpus=small_spec(corpus__name="emodb").corpus)
    copy.spec_file.write_text(plain.to_yaml())
    assert not sees(copy, small_spec(), "a", "demo")
    given = WarmStart(origins=({"run": "first"},), settings=(), saw_test=False)
    warm = replace(plain, search=plain.search.model_copy(update={"warm_start": given}))
    copy.spec_file.write_text(warm.to_yaml())
    assert sees(copy, small_spec(), "a", "demo")
    pretrain = plain.pretrain.model_copy(update={"on": "demo"})
    copy.spec_file.write_text(replace(plain, pretrain=pretrain).to_yaml())
    assert sees(copy, small_spec(), "a", "demo")


def test_another_model_or_another_space_is_refused(earlier):
    spec = small_spec()
    model = spec.model.model_copy(update={"name": "other"})
    other = replace(spec, base=replace(spec.base, model=model))
    with pytest.raises(ConfigError, match="it searched 'emohrnet', and this search is of 'other'"):
        warm_start([earlier], other, split("c"))
    narrow = {"training.learning_rate": {"loguniform": [0.5, 0.9]}}
    apart = spec.from_dict({**spec.to_dict(), "space": narrow})
    with pytest.raises(ConfigError, match="none of its settings lies in the space"):
        warm_start([earlier], apart, split("c"))


TOLD = DataFacts(labels=("anger", "joy"), num_rows=400, num_speakers=8)


def test_a_run_tells_of_its_data_in_its_record_or_as_earlier_ones_did(copy):
    assert facts_of_run(copy) == DataFacts(num_rows=2, num_speakers=1)
    copy.best.mkdir(exist_ok=True)
    (copy.best / "labels.json").write_text('["joy", "sad"]')
    assert facts_of_run(copy).labels == ("joy", "sad")
    copy.info_file.write_text(json.dumps({"data": TOLD.model_dump(mode="json")}))
    assert facts_of_run(copy) == TOLD


@pytest.mark.parametrize("text", ["{", "[]", '{"data": 3}', '{"data": {"num_rows": -1}}'])
def test_of_a_run_whose_records_are_damaged_nothing_is_known(copy, text):
    copy.info_file.write_text(text)
    copy.splits_file.unlink()
    copy.best.mkdir(exist_ok=True)
    (copy.best / "labels.json").write_text(text)
    assert likeness(facts_of_run(copy), TOLD) == 0


def of_others(folder, **runs):
    """A run a name, each with its data and other settings than the others'."""
    made = []
    for i, (name, facts) in enumerate(runs.items()):
        run = RunFolder(folder / name)
        spec = small_spec(search__trials=6, search__scheduler="none", search__seed=i)
        run.open(spec, resume=False)
        FakeSearch(run.root, spec).run()
        run.write_splits([{"utterance": "c", "speaker": "t", "fold": 0, "split": "test"}])
        run.info_file.write_text(json.dumps({"data": facts.model_dump(mode="json")}))
        made.append(run)
    return made


@pytest.fixture
def two(tmp_path):
    facts = facts_of_split(LEARNED)
    unlike = facts.model_copy(
        update={"labels": ("calm", "other", "sad"), "num_rows": 100 * facts.num_rows}
    )
    return of_others(tmp_path, unlike=unlike, like=facts)


LEARNED = Split(
    "speaker_independent",
    0,
    6,
    tuple(replace(row(f"n{i}", "s", "sad"), corpus="demo") for i in range(3)),
    (),
    (replace(row("c", "t", "sad"), corpus="demo"),),
)


def test_of_several_runs_the_likest_gives_most_and_goes_first(two):
    given = warm_start(two, small_spec(), LEARNED)
    likes = {origin.run: origin.likeness for origin in given.origins}
    assert likes["like"] == 1 > likes["unlike"] > 0.5
    # Likeness over rank: 1, the unlike one's best, 1 / 2, 1 / 3, the second of the unlike one.
    assert [(run, rank) for run, rank, _ in given.taken] == [
        ("like", 1),
        ("unlike", 1),
        ("like", 2),
        ("like", 3),
        ("unlike", 2),
    ]
    weights = [weight for _, _, weight in given.taken]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 1
    assert len(given.settings) == 5
    spec = small_spec()
    for (name, rank, _), settings in zip(given.taken, given.settings, strict=True):
        run = next(one for one in two if one.root.name == name)
        fields = run.spec().resolve(run.trials().ranked()[rank - 1].config).fields()
        assert dict(settings) == {key: fields[key] for key in spec.space.fields}
    assert given.line() == (
        f"warm start: 5 settings of unlike (2, likeness {likes['unlike']:.2f}), "
        "like (3, likeness 1.00)"
    )


def test_settings_that_two_runs_found_are_tried_once(two, tmp_path):
    shutil.copytree(two[1].root, tmp_path / "again")
    given = warm_start([two[1], RunFolder(tmp_path / "again")], small_spec(), LEARNED)
    assert [run for run, _, _ in given.taken] == ["like"] * 3


def test_one_run_that_saw_a_test_row_is_enough(two):
    assert not warm_start(two, small_spec(), LEARNED).saw_test
    two[0].write_splits([{"utterance": "c", "speaker": "t", "fold": 0, "split": "validation"}])
    assert warm_start(two, small_spec(), LEARNED).saw_test
    two[0].splits_file.unlink()
    assert warm_start(two[::-1], small_spec(), LEARNED).saw_test


def test_each_run_is_named_once_and_is_of_this_model(two):
    with pytest.raises(ConfigError, match="two runs are named 'like'; give each once"):
        warm_start([two[1], two[1]], small_spec(), LEARNED)
    spec = small_spec()
    model = spec.model.model_copy(update={"name": "other"})
    other = replace(spec, base=replace(spec.base, model=model))
    with pytest.raises(ConfigError, match="unlike: it searched 'emohrnet', and this search is of"):
        warm_start(two, other, LEARNED)


def runs_at(texts):
    return [existing_run(place) for place in places_of(texts)]


def names_of(texts):
    return [run_name(place) for place in places_of(texts)]


def test_runs_are_named_with_commas_or_one_by_one(two, tmp_path):
    first, second = (str(run.root) for run in two)
    assert runs_at([f"{first}, {second}"]) == runs_at([first, second]) == two
    odd = tmp_path / "a,b"
    shutil.copytree(two[0].root, odd)
    assert runs_at([str(odd)]) == [RunFolder(odd)]
    assert names_of([f"{first},{second}", str(odd)]) == [two[0].root.name, two[1].root.name, "a,b"]
    assert names_of([f"{tmp_path}/gone/"]) == ["gone"]
    with pytest.raises(MissingPathError, match="not a run's folder"):
        runs_at([f"{first},{tmp_path}/none"])


def test_what_earlier_versions_recorded_is_read():
    given = small_spec(
        search__warm_start={"origin": "first", "settings": [], "saw_test": True}
    ).search.warm_start
    assert given == WarmStart(origins=({"run": "first"},), settings=(), saw_test=True)
    assert given.line() == "warm start: 0 settings of first"
