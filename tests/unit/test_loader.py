"""YAML in and out: types, lines, refusals; overrides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysearch.config.base import Places
from raysearch.config.loader import MAX_BYTES, dump_yaml, parse_yaml, read_yaml
from raysearch.config.overrides import apply_overrides, parse_override
from raysearch.errors import ConfigError, MissingPathError

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    st.sampled_from(["1e-3", "no", "off", "2026-01-01", "1:30", "null", "~", "true", "010", ""]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abz", min_size=1), inner),
    max_leaves=12,
)


@given(trees)
def test_what_is_written_is_read_back(data):
    again = parse_yaml(dump_yaml(data), "test")
    assert again == data
    assert repr(again) == repr(data)


@given(scalars)
def test_shared_values_are_written_without_aliases(value):
    shared = [value]
    assert parse_yaml(dump_yaml({"a": shared, "b": shared}), "test") == {"a": [value], "b": [value]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e-4", 1e-4),
        ("5E6", 5e6),
        (".5", 0.5),
        ("-3", -3),
        ("no", "no"),
        ("off", "off"),
        ("true", True),
        ("none", "none"),
        ("null", None),
        ("", None),
        ("1/1/1", "1/1/1"),
        ("30:00", "30:00"),
        ("2026-01-01", "2026-01-01"),
        ("'1e-3'", "1e-3"),
        ("[2, 3.0]", [2, 3.0]),
    ],
)
def test_scalars(text, value):
    parsed = parse_yaml(text, "test")
    assert parsed == value
    assert type(parsed) is type(value)


def test_places_are_file_and_line(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("model:\n  width: 8\n\nspace:\n  a.b:\n    - {choice: [1]}\n")
    data, places = read_yaml(path)
    assert data == {"model": {"width": 8}, "space": {"a.b": [{"choice": [1]}]}}
    assert places.of("model.width") == f"{path}:2"
    assert places.of("space.a.b") == f"{path}:5"
    assert places.of("space.a.b.0") == f"{path}:6"
    assert places.of("model.unknown") == f"{path}:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r":3: the key 'a' is written twice"),
        ("a: &x [1]\nb: *x\n", r":2: aliases are refused"),
        ("a: !!python/object/apply:os.system [id]\n", r":1: the tag .* is refused"),
        ("a: !!binary aGk=\n", r":1: the tag .* is refused"),
        ("a: !!int x\n", r":1: 'x' is not a int"),
        ("? [1, 2]\n: 3\n", r"a key is a word"),
        ("a: [1\nb: 2\n", r":2: "),
        ("a: 1\n---\nb: 2\n", r"expected a single document"),
        ("- 1\n- 2\n", r"expected a mapping"),
        ("", r"expected a mapping"),
        ("a: " + "[" * 5000, r"nested too deeply"),
        ("a: \x07\n", r"test.yaml: "),
    ],
)
def test_refusals_name_the_place(tmp_path, text, message):
    path = tmp_path / "test.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_yaml(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_merge_key_is_an_ordinary_key():
    assert parse_yaml("<<: {a: 1}", "test") == {"<<": {"a": 1}}


def test_file_problems(tmp_path):
    with pytest.raises(MissingPathError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(MissingPathError, match="directory"):
        read_yaml(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(big)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: \u00e9".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_yaml(latin)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.epochs=30", ("training.epochs", 30)),
        ("training.learning_rate=1e-3", ("training.learning_rate", 1e-3)),
        ("corpus.shuffle_labels=true", ("corpus.shuffle_labels", True)),
        ("corpus.data=/a=b", ("corpus.data", "/a=b")),
        ("space.model.width={choice: [4, 8]}", ("space.model.width", {"choice": [4, 8]})),
    ],
)
def test_override_values_are_yaml(text, expected):
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["training.epochs", "=3", "a..b=1", "a=[1", "a=*x", ".a=1"])
def test_malformed_overrides(text):
    with pytest.raises(ConfigError, match="--set"):
        parse_override(text)


def test_overrides_fix_what_was_searched():
    data = {
        "model": {"width": 8},
        "space": {"model.width": {"choice": [8, 16]}, "model.widths": {"choice": [1]}},
        "published": {
            "settings": {
                "model.width": {"value": 16, "source": "assumed"},
                "training.batch_size": {"value": 64, "source": "paper"},
            }
        },
    }
    places = Places("file.yaml")
    overrides = [
        "model.width=4",
        ("training.batch_size", 16),
        "space.model.depth={randint: [1, 2]}",
    ]
    assert apply_overrides(data, places, overrides) == [
        "model.width",
        "training.batch_size",
        "space.model.depth",
    ]
    assert data["model"] == {"width": 4}
    assert data["training"] == {"batch_size": 16}
    assert data["space"] == {"model.widths": {"choice": [1]}, "model.depth": {"randint": [1, 2]}}
    # What the paper printed stays what it is; only our own assumption gives way.
    assert list(data["published"]["settings"]) == ["training.batch_size"]
    assert places.of("model.width") == "--set model.width"
    assert places.of("training") == "--set training.batch_size"


def test_an_override_can_take_a_field_out_of_the_space():
    data = {"space": {"model.width": {"choice": [8, 16]}}}
    apply_overrides(data, Places(), ["space.model.width=null"])
    assert data["space"] == {}


def test_an_override_cannot_go_through_a_value():
    with pytest.raises(ConfigError, match="'width' is not a section"):
        apply_overrides({"model": {"width": 8}}, Places(), ["model.width.x=1"])
