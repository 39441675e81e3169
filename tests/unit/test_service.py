"""What a submission takes along, and the record that it leaves in its run."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from raysearch.errors import DataError, InfrastructureError, SearchInterruptedError, UserError
from raysearch.service import bundle
from raysearch.service import job_record as record
from raysearch.service.acceptance import Acceptance
from raysearch.service.bundle import SPACE, pack
from raysearch.service.job_record import recorded, records
from raysearch.service.jobs import Job
from raysearch.spec import SearchSpec
from raysearch.storage.replica import open_storage


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_package_and_the_space_go_along_and_nothing_else(tmp_path):
    spec = SearchSpec.load("cnn", ["model.width=24"])
    sent = names(pack(tmp_path, [spec]))
    assert {SPACE, "raysearch/run.py", "raysearch/corpora/label_map.yaml"} <= sent
    assert not [name for name in sent if "__pycache__" in name or not _expected(name)]
    assert SearchSpec.load(str(tmp_path / SPACE)) == spec


def _expected(name):
    return name == SPACE or name.startswith("raysearch/")


def test_what_is_sent_runs_where_nothing_else_is(tmp_path):
    pack(tmp_path, [])
    assert not (tmp_path / SPACE).exists()
    code = "import raysearch.cli.main; print(raysearch.cli.main.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(tmp_path))


MODEL = """
from raysearch.models.lstm import Lstm, LstmConfig

class Mine(Lstm):
    Config = LstmConfig
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    package = tmp_path / "here" / "my_models"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "small.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(package.parent))
    yield package
    for name in [name for name in sys.modules if name.startswith("my_models")]:
        del sys.modules[name]


def spec_of_own(name="my_models.small:Mine"):
    spec = SearchSpec.load("lstm")

    class Spec:
        def to_yaml(self):
            return spec.to_yaml()

        def to_dict(self):
            return {**spec.to_dict(), "model": {"name": name}}

    return Spec()


def test_a_module_of_the_users_own_goes_along(tmp_path, own_module, monkeypatch):
    (tmp_path / "sent").mkdir()
    sent = names(pack(tmp_path / "sent", [spec_of_own()]))
    assert {"my_models/__init__.py", "my_models/small.py"} <= sent
    monkeypatch.setattr(bundle, "MAX_MODULE_BYTES", 10)
    (tmp_path / "again").mkdir()
    with pytest.raises(UserError, match="too much for code"):
        pack(tmp_path / "again", [spec_of_own()])


@pytest.mark.parametrize("key", ["search.objective", "search.scheduler"])
def test_a_metric_and_a_stop_rule_of_the_users_own_go_along(tmp_path, own_module, key):
    spec = SearchSpec.load("lstm", [(key, "my_models.small:Mine")])
    assert "my_models/small.py" in names(pack(tmp_path, [spec]))


def test_a_resumption_takes_the_modules_along_and_no_space(tmp_path, own_module):
    sent = names(pack(tmp_path, [spec_of_own()], resumed=True))
    assert "my_models/small.py" in sent
    assert "space.yaml" not in sent


def test_a_module_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no_such_thing: no such module here"):
        pack(tmp_path, [spec_of_own("no_such_thing.x:Y")])


def test_what_is_installed_stays_here(tmp_path):
    sent = names(pack(tmp_path, [spec_of_own("torch.nn:Linear")]))
    assert not [name for name in sent if name.startswith("torch")]


def test_a_record_tells_how_it_ended_and_keeps_what_was_printed(tmp_path, capfd):
    with recorded(tmp_path, "one.1"):
        assert [r.state for r in records(tmp_path)] == ["running"]
        os.write(1, b"a line of ours\n")
        os.write(2, b"a line of a library\n")
    (kept,) = records(tmp_path)
    assert (kept.state, kept.exit_code) == ("finished", 0)
    assert kept.log(tmp_path) == "a line of ours\na line of a library\n"
    assert "a line of ours" in capfd.readouterr().out
    for submission, error, state in [
        ("one.2", InfrastructureError("no slot is left"), "failed"),
        ("one.3", SearchInterruptedError("stopped"), "stopped"),
        ("one.4", KeyboardInterrupt(), "stopped"),
        ("one.5", ValueError("a mistake of ours"), "failed"),
    ]:
        with pytest.raises(type(error)), recorded(tmp_path, submission):
            raise error
        assert records(tmp_path)[0].submission == submission
        assert records(tmp_path)[0].state == state
        assert str(error) in records(tmp_path)[0].log(tmp_path)
    assert len(records(tmp_path)) == 5


def job_at(storage):
    return Job("one.1", "one", str(storage), "RUNNING", None, None, None)


def test_a_job_is_accepted_once_its_record_says_so(tmp_path):
    acceptance, run = Acceptance(job_at(tmp_path)), tmp_path / "one"
    assert not acceptance.given("")
    with recorded(run, "one.1") as accept:
        assert not acceptance.given("raysearch: looking at the data")
        accept()
        assert acceptance.given("")
    assert acceptance.given(""), "its end takes nothing back"
    assert [(r.accepted, r.state) for r in records(run)] == [(True, "finished")]


def test_the_record_in_a_bucket_is_read_too(tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    acceptance, run = Acceptance(job_at(bucket)), open_storage(bucket) / "one"
    with recorded(run, "one.1") as accept:
        assert not acceptance.given("")
        accept()
        assert acceptance.given("")


@pytest.mark.parametrize("storage", ["/not/here", "s3://no-such-bucket/x"])
def test_where_the_run_cannot_be_read_the_log_tells(bucket, storage):
    acceptance = Acceptance(job_at(storage))
    assert not acceptance.given("features: 3 sets\nthe run: none")
    assert acceptance.given("corpus: demo\nrun: /not/here/one\n")


def test_a_record_of_an_earlier_version_leaves_it_to_the_log(tmp_path):
    with recorded(tmp_path / "one", "one.1") as accept:
        accept()
    path = tmp_path / "one" / "jobs" / "one.1.json"
    earlier = json.loads(path.read_text())
    del earlier["accepted"]
    path.write_text(json.dumps(earlier))
    acceptance = Acceptance(job_at(tmp_path))
    assert (acceptance.given(""), acceptance.given("run: x")) == (False, True)
    assert records(tmp_path / "one")[0].state == "finished"


def test_without_a_job_nothing_is_kept(tmp_path):
    with recorded(tmp_path, None):
        pass
    assert not list(tmp_path.iterdir())


def test_a_silent_record_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "BEAT_S", 0.05)
    with recorded(tmp_path, "one"):
        first = records(tmp_path)[0]
        while records(tmp_path)[0].heard == first.heard:
            time.sleep(0.02)
    silent = replace(records(tmp_path)[0], ended=None, heard=time.time() - record.SILENT_S - 1)
    assert silent.state == "lost"
    assert replace(silent, heard=time.time()).state == "running"


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "x.json").write_text(json.dumps({"submission": "x"}))
    with pytest.raises(DataError, match=r"x\.json: not a job's record"):
        records(tmp_path)
