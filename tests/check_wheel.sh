#!/usr/bin/env bash
# The built wheel, over the environment of $PYTHON but without its editable raysearch, from an
# empty folder: the package must carry its search spaces, fold tables and page with it.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PYTHON" -m build --wheel --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 ||
  { cat "$work/build.log"; exit 1; }
"$PYTHON" -m venv --without-pip "$work/venv"
site=$("$work/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')
# A path in a .pth file is searched, but the .pth files within it, the editable one too, are not.
"$PYTHON" -c 'import site; print(site.getsitepackages()[0])' >"$site/environment.pth"
"$PYTHON" -m pip --python "$work/venv/bin/python" install -qq --no-deps \
  --disable-pip-version-check "$work"/dist/*.whl
mkdir "$work/empty" && cd "$work/empty"
raysearch="$work/venv/bin/raysearch"
"$work/venv/bin/python" -c "import raysearch, sys; sys.exit('$work' not in raysearch.__file__)"
"$raysearch" --version
"$raysearch" corpus --json --set corpus.label_map=common >corpus.json
"$raysearch" systems >systems.txt
"$raysearch" run --space emohrnet-gpu --dry-run
"$raysearch" run --space emohrnet --name wheel --trials 2 --max-epochs 1 --set model.width=8 \
  --set features.mel.n_mels=40 --set features.mel.hop_ms=20 --set model.blocks=1 \
  --set model.stem_stride=4 --set search.published_first=false
test -s results/wheel/best/ensemble.json
"$raysearch" report results/wheel
grep -q echarts results/wheel/report.html
echo "the wheel works from an empty folder"
