"""What `raysearch systems` says without torch is what the systems are."""

from make_system_facts import text

from raysearch.cli.system_facts import FILE


def test_the_facts_are_true(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    command = "python tests/contract/make_system_facts.py"
    assert FILE.read_text(encoding="utf-8") == text(), f"a shipped space has changed: {command}"
