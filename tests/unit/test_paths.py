"""Names that are the same to their reader, and paths that lead nowhere else."""

import unicodedata

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.errors import ConfigError
from raysearch.paths import existing, is_inner, is_name, near_spelling


def composed(text):
    return unicodedata.normalize("NFC", text)


def decomposed(text):
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(("there", "asked"), [(decomposed, composed), (composed, decomposed)])
def test_any_unicode_form_of_a_name_finds_the_file(tmp_path, there, asked):
    path = tmp_path / there("Bücher") / there("Müller é.wav")
    path.parent.mkdir()
    path.write_bytes(b"x")
    assert existing(asked("Bücher/Müller é.wav"), tmp_path) == path
    assert existing(str(tmp_path / asked("Bücher"))) == path.parent
    assert existing("Bücher/Maller.wav", tmp_path) is None


def test_a_form_that_is_there_goes_before_another(tmp_path):
    for form in (composed, decomposed):
        (tmp_path / form("ü")).write_bytes(b"x")
    for form in (composed, decomposed):
        assert existing(form("ü"), tmp_path).name == form("ü")


def test_a_new_file_is_seen(tmp_path):
    assert existing(composed("ü"), tmp_path) is None
    (tmp_path / decomposed("ü")).write_bytes(b"x")
    assert existing(composed("ü"), tmp_path) is not None


def test_another_letter_case_is_told_not_taken(tmp_path):
    (tmp_path / "Audio").mkdir()
    (tmp_path / "Audio" / "A.WAV").write_bytes(b"x")
    assert existing("audio/a.wav", tmp_path) is None
    assert near_spelling(tmp_path / "audio" / "a.wav") == tmp_path / "Audio" / "A.WAV"
    assert near_spelling(tmp_path / "audio" / "b.wav") is None


@pytest.mark.parametrize("written", ["x" * 300, "a\0b", "loop", "loop/x"])
def test_what_can_be_no_path_is_one_line(tmp_path, written):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="no path to use") as error:
        existing(written, tmp_path)
    assert len(str(error.value)) < 200


def test_only_names_and_inner_paths_are_such():
    assert all(map(is_name, ("a", "a.b", "...", "ü")))
    assert not any(map(is_name, ("", ".", "..", "a/b", "/", "a\0", None, 3)))
    assert all(map(is_inner, ("a", "a/b", "a/...")))
    assert not any(map(is_inner, ("", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", None)))


CASES = {
    "crema_d": ("1001_DFA_ANG_XX.wav", "1001_dfa_Ang_xx.WAV"),
    "savee": ("DC_sa01.wav", "dc_SA01.wav"),
    "emodb": ("03a01Wa.wav", "03A01WA.WAV"),
    "ravdess": ("03-01-05-01-02-01-18.wav", "03-01-05-01-02-01-18.WAV"),
    "tess": ("OAF_back_fear.wav", "oaf_Back_FEAR.wav"),
    "emovo": ("gio-f2-b2.wav", "GIO-F2-B2.wav"),
    "nemo": ("WR0_surprised_64.wav", "wr0_Surprised_64.WAV"),
}


@pytest.mark.parametrize("name", CASES)
def test_corpora_in_any_letter_case_are_the_same(tmp_path, name):
    found = []
    for folder, file in zip(("one", "other"), CASES[name], strict=True):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / file, np.zeros(400), 16_000, format="WAV")
        (row,) = load_corpus(
            CorpusConfig(name=name, data=str(tmp_path / folder)), tmp_path
        ).utterances
        found.append((row.id, row.speaker, row.emotion, row.text, row.sex))
    assert found[0] == found[1]


def test_iemocap_in_small_letters(tmp_path):
    turn = "ses01f_impro04_f000"
    audio, labels = tmp_path / "sentences", tmp_path / "emoevaluation"
    audio.mkdir()
    labels.mkdir()
    soundfile.write(audio / f"{turn}.wav", np.zeros(400), 16_000)
    line = "[6.2901 - 8.2357]\tSes01F_impro04_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    (labels / "ses01f_impro04.TXT").write_text(line)
    (row,) = load_corpus(CorpusConfig(name="iemocap", data=str(tmp_path)), tmp_path).utterances
    assert (row.id, row.speaker, row.sex) == ("Ses01F_impro04_F000", "Ses01_F", "female")
