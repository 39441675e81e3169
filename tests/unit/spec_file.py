"""A search space in a file of its own, and draws from it."""

import optuna

from raysearch.spec import SearchSpec

optuna.logging.set_verbosity(optuna.logging.ERROR)

BASE = """\
features:
  mel: {extractor: log_mel, n_mels: 40}
model: {name: emohrnet, width: 8}
"""


def loader(folder):
    """A function that loads ``BASE`` and what it is given, from a file in ``folder``."""

    def load(extra="", overrides=(), base=BASE):
        path = folder / "own.yaml"
        path.write_text(base + extra)
        return SearchSpec.load(str(path), overrides)

    return load


def draw(spec, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return trial, spec.sample(trial)
