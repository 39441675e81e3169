# Two commands: `make demo` and `make test`. `make check` is what CI runs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Where it is set, each of a search's processes would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test fault soak gpu cluster-test bench bench-full real-weights format check lint types imports wheel clean

help:
	@echo "make demo          install, then search for an EmoHRNet on the embedded corpus (10 minutes)"
	@echo "make test          install, then every test but the slow ones (20 minutes)"
	@echo "make fault         every way in which a search is killed, and resumes; and the other slow tests"
	@echo "make soak          200 short trials with a fault every 20 s, as root (under an hour)"
	@echo "make gpu           what only a CUDA GPU can show (10 minutes)"
	@echo "make cluster-test  a cluster of three hosts on this machine, as root (15 minutes)"
	@echo "make check         format, lint, types, import contract, tests, the built wheel: what CI runs"
	@echo "make bench         start-up, turnover, epochs and more beside the usual ways (30 minutes)"
	@echo "make bench-full    the dear benchmarks, too; what is measured already is skipped"
	@echo "make real-weights  fetch Whisper tiny.en (71 MB), which some tests want, into .cache"
	@echo "make format        rewrite the code in the project's format"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "raysearch needs Python 3.11 or later; name one with: make PYTHON=python3.12 ...")'
	@echo "installing into $(VENV) (2 to 4 minutes, 5 GB) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

DEMO_NAME := demo-$(shell date +%Y%m%d-%H%M%S)

demo: $(STAMP)
	@echo "Searching for the best EmoHRNet on the embedded demo corpus: 20 trials of at"
	@echo "most 8 epochs on this machine's CPUs, and the ensemble of the best of them; then"
	@echo "its figures on speakers that it never met. 4 to 8 minutes on two cores."
	@echo "Results go to results/$(DEMO_NAME)."
	@$(BIN)/raysearch run --space emohrnet --name $(DEMO_NAME) --trials 20 --max-epochs 8 \
	  --final ensemble --set features.mel.n_mels=40 --set features.mel.hop_ms=20 \
	  --set model.stem_stride=4 $(DEMO_ARGS)
	@$(BIN)/raysearch evaluate results/$(DEMO_NAME)

test: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --capture=sys \
	  --durations=20 -m "(ray or fault) and not gpu and not slow and (not fault or ci)"

fault: $(STAMP)
	@$(BIN)/python -m pytest -m "fault or slow"

soak: $(STAMP)
	@$(BIN)/python tests/soak/soak.py $(SOAK_ARGS)

gpu: $(STAMP)
	@$(BIN)/python -m pytest --durations=20 -m gpu tests/gpu $(GPU_ARGS)

cluster-test: $(STAMP)
	@$(BIN)/python tests/cluster/run.py $(CLUSTER_ARGS)

bench: $(STAMP)
	@$(BIN)/python tests/benchmarks/bench.py --again $(BENCH_ARGS)

bench-full: $(STAMP)
	@$(BIN)/python tests/benchmarks/bench.py --full $(BENCH_ARGS)

real-weights: $(STAMP)
	@$(BIN)/python tests/fetch_real_weights.py .cache/whisper-tiny.en

format: $(STAMP)
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy

imports: $(STAMP)
	@$(BIN)/lint-imports --no-cache

wheel: $(STAMP)
	@PYTHON=$(abspath $(BIN)/python) tests/check_wheel.sh

check: lint types imports test wheel

clean:
	rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
