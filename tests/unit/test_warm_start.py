"""An earlier run's best settings, tried first and owned up to."""

import csv
from dataclasses import replace

import pytest
from fake_slots import FakeSearch, small_spec
from protocol_corpora import row

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


def test_another_model_or_another_space_is_refused(earlier):
    spec = small_spec()
    other = replace(spec, model=spec.model.model_copy(update={"name": "other"}))
    with pytest.raises(ConfigError, match="it searched 'emohrnet', and this search is of 'other'"):
        warm_start(earlier, other, split("c"))
    narrow = {"training.learning_rate": {"loguniform": [0.5, 0.9]}}
    apart = spec.from_dict({**spec.to_dict(), "space": narrow})
    with pytest.raises(ConfigError, match="none of its settings lies in the space"):
        warm_start(earlier, apart, split("c"))
