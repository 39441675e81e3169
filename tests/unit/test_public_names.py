"""What a user of the library imports: complete, documented, and loaded when it is asked for."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from fake_slots import FakeSearch, small_spec

import raysearch
from raysearch.errors import MissingPathError, TrialError
from raysearch.run_folder import RunFolder
from raysearch.searching.observers import watcher_of
from raysearch.searching.results import Run
from raysearch.spec import SearchSpec


def test_the_list_is_complete():
    assert set(raysearch.__all__) == set(raysearch._MODULES)
    text = Path(raysearch.__file__).read_text()
    shown = text.split("if TYPE_CHECKING:")[1].split("__all__")[0]
    for name, module in raysearch._MODULES.items():
        package = "raysearch" if module == f"raysearch.{name}" else module
        line = next(line for line in shown.splitlines() if f"from {package} import" in line)
        assert name in line.split("import")[1].replace(",", " ").split(), "type checkers see others"
    assert set(raysearch.__all__) <= set(dir(raysearch))


@pytest.mark.parametrize("name", raysearch.__all__)
def test_each_name_is_there_and_documented(name):
    found = getattr(raysearch, name)
    if inspect.ismodule(found):
        assert found.__name__ == raysearch._MODULES[name] == f"raysearch.{name}"
        assert set(found.__all__) <= set(dir(found))
    else:
        assert (found.__name__, found.__module__) == (name, raysearch._MODULES[name])
    assert found.__doc__
    for part, member in inspect.getmembers(found):
        if not part.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
            assert inspect.getdoc(member), f"{name}.{part}"


def test_no_other_name_is_made_up():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        raysearch.serach  # noqa: B018


def test_the_package_alone_loads_neither_ray_nor_torch():
    code = "import sys, raysearch; sys.exit(', '.join({'ray', 'torch'} & sys.modules.keys()) or 0)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_space_is_loaded_with_settings_over_it(tmp_path):
    spec = raysearch.load_space("emohrnet", {"search.trials": 3})
    assert isinstance(spec, SearchSpec)
    assert spec.search.trials == 3
    assert raysearch.load_space("emohrnet").search.trials != 3


def test_a_run_tells_what_is_there_and_nothing_else(tmp_path):
    spec, folder = small_spec(search__trials=3), RunFolder(tmp_path / "one")
    folder.open(spec, resume=False)
    run = Run(folder.root)
    assert (run.name, run.folder, run.spec) == ("one", folder.root, spec)
    assert run.winner is run.best is run.outcome is run.final is None
    assert run.summary == {}
    assert repr(run) == f"Run({str(folder.root)!r}: 0 trials)"
    FakeSearch(folder.root, spec).run()
    assert len(run.trials.records) == 3
    assert run.winner is not None
    assert run.winner.number == run.trials.ranked()[0].number
    assert repr(run).startswith(f"Run({str(folder.root)!r}: 3 trials, best ")
    run.check()
    with pytest.raises(MissingPathError, match="not a run's folder"):
        Run(tmp_path)


def test_a_run_whose_trials_all_failed_says_why(tmp_path):
    spec, folder = small_spec(search__trials=2), RunFolder(tmp_path / "one")
    folder.open(spec, resume=False)
    FakeSearch(folder.root, spec, fails=lambda config, epoch: "refused").run()
    with pytest.raises(TrialError, match="every trial failed, the first as refused"):
        Run(folder.root).check()


def test_an_observer_defines_what_it_wants_to_hear():
    class Ears(raysearch.SearchObserver):
        def __init__(self):
            self.heard = []

        def say(self, line):
            self.heard.append(line)

    ears = Ears()
    watcher = watcher_of([ears, Ears()])
    watcher.say("hello")
    watcher.progress("features", 1, 2)
    for one in watcher.observers:
        one.changed(None, None)
        one.ended(None)
        with one.watch(None):
            pass
    assert ears.heard == ["hello"]
