"""An earlier run's best settings, tried first and owned up to."""

import csv
import shutil
from dataclasses import replace

import pytest
from fake_slots import FakeSearch, small_spec
from protocol_corpora import row

from raysearch.config.search import WarmStart
from raysearch.errors import ConfigError
from raysearch.protocols.splits import Split
from raysearch.run_folder import RunFolder
from raysearch.tuning.warm_start import warm_start


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
    given = warm_start(earlier, spec, split("c"))
    best = [earlier.spec().resolve(r.config).fields() for r in earlier.trials().ranked()[:3]]
    assert [dict(s) for s in given.settings] == [{k: f[k] for k in spec.space.fields} for f in best]
    assert (given.origin, given.saw_test) == ("earlier", False)
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
    given = warm_start(earlier, small_spec(), split(*names, corpus=corpus))
    assert given.saw_test is saw


def sees(earlier, spec, name, corpus):
    return warm_start(earlier, spec, split(name, corpus=corpus)).saw_test


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
    given = WarmStart(origin="first", settings=(), saw_test=bool(inherited))
    search = spec.search.model_copy(update={"warm_start": given})
    copy.spec_file.write_text(replace(spec, search=search).to_yaml())
    assert sees(copy, small_spec(), name, "demo") is bool(saw)


def test_another_model_or_another_space_is_refused(earlier):
    spec = small_spec()
    other = replace(spec, model=spec.model.model_copy(update={"name": "other"}))
    with pytest.raises(ConfigError, match="it searched 'emohrnet', and this search is of 'other'"):
        warm_start(earlier, other, split("c"))
    narrow = {"training.learning_rate": {"loguniform": [0.5, 0.9]}}
    apart = spec.from_dict({**spec.to_dict(), "space": narrow})
    with pytest.raises(ConfigError, match="none of its settings lies in the space"):
        warm_start(earlier, apart, split("c"))
