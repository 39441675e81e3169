"""Late fusion: a searched model's log-probabilities and those of a plain model on functionals.

What a network hears in a spectrogram and what pitch, energy and voice quality say err apart, and
so do the votes of a support vector machine and the odds of a regression. The partner is the
logistic regression of ``search_spaces/logistic.yaml`` at that space's own settings; it takes a
second to solve. Its share is the one with the least log-loss on inner validation rows, where
neither has learned; 0 is among them.

Axes: N inner validation rows, K emotions.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from raysearch.config.identity import stable_hash
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.calibration import temperature_of
from raysearch.evaluation.final_model import ALL_ROWS, PARTNER, FinalModel, Net
from raysearch.evaluation.retraining import retrain
from raysearch.evaluation.selection import value
from raysearch.partner import partner_config
from raysearch.protocols.splits import without_validation
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.predictions import Predictions
from raysearch.tuning.tuner import Ended

__all__ = ["best_share", "fused"]

SHARES = tuple(step / 10 for step in range(10))
TEMPERATURES = tuple(2 ** (step / 4) for step in range(-8, 9))


def fused(
    model: FinalModel,
    log_probs_NK: NDArray[np.float64],
    *,
    run: RunFolder,
    spec: SearchSpec,
    lease: Lease,
    audited: AuditedSplit,
    ended: Ended,
) -> FinalModel:
    """``model`` with the partner beside it, or as it is if the partner has nothing to add.

    Args:
        model: nets of one search.
        log_probs_NK: what stands for them on the inner validation rows, fold after fold.
        run: the search's run.
        spec: its settings.
        lease: of its folder.
        audited: its data.
        ended: its slots and features.

    Raises:
        TrialError: the partner could not be solved.
    """
    config = partner_config(spec)
    if config is None or model.method == "single":
        return model
    inner = Arm(
        spec,
        audited,
        config,
        f"{PARTNER}{stable_hash([config.identity(), audited.identity(spec)])}",
        run.root / "final",
        num_inner=1 + len(audited.inner),
        bank=ended.bank,
        num_seeds=1,
    )
    everyone = replace(
        inner,
        audited=replace(audited, split=without_validation(audited.split), inner=()),
        identity=f"{inner.identity}-all",
        num_inner=1,
        bank=ended.bank.of_rows(ended.bank.all_rows),
    )
    arms = [inner, everyone] if model.method == "refit" else [inner]
    tasks = [task for arm in arms for task in arm.tasks(run.root.absolute(), lease)]
    retrain(ended.pool, tasks, lambda line: None)
    (nets,) = inner.variants()
    beside = [Predictions.load(net.predictions) for net in nets]
    share = best_share(log_probs_NK, beside)
    if share == 0:
        return model
    partner: Sequence[Net] = nets
    if model.method == "refit":
        (found,) = everyone.variants()
        partner = [replace(net, inner=ALL_ROWS) for net in found]
    weighted = [replace(net, trial=None, weight=net.weight * share) for net in partner]
    own = [replace(net, weight=net.weight * (1 - share)) for net in model.nets]
    labels_N = np.concatenate([one.labels for one in beside])
    before = value(log_probs_NK, labels_N)[0]
    mixed_NK = _mixed(log_probs_NK, _together(beside), share)
    figures = {
        "partner_share": share,
        "ua_before_fusion": before,
        "ua_fused": value(mixed_NK, labels_N)[0],
        "temperature": temperature_of(mixed_NK, labels_N),
    }
    validation = {**model.validation, **figures}
    return replace(model, validation=validation).with_nets([*own, *weighted])


def best_share(log_probs_NK: NDArray[np.float64], partner: Sequence[Predictions]) -> float:
    """The partner's share with the least log-loss, of those that cost no recall.

    The log-loss is that at the temperature which suits a share best.

    Networks are surer than they have reason to be, and any second opinion makes a mean less so: at
    the temperatures that they come with, a share would be bought for that alone (Guo et al. 2017,
    "On calibration of modern neural networks", section 4.2, scales logits likewise).

    Args:
        log_probs_NK: of the rows of ``partner``, fold after fold.
        partner: its predictions of each inner fold.
    """
    labels_N = np.concatenate([one.labels for one in partner])
    beside_NK = _together(partner)

    def recall(share: float) -> float:
        return value(_mixed(log_probs_NK, beside_NK, share), labels_N)[0]

    def worth(share: float) -> float:
        mixed_NK = _mixed(log_probs_NK, beside_NK, share)
        return max(value(mixed_NK / t, labels_N)[1] for t in TEMPERATURES)

    alone = recall(0)
    return max((s for s in SHARES if recall(s) >= alone), key=worth)  # of equals the smallest


def _together(partner: Sequence[Predictions]) -> NDArray[np.float64]:
    return np.concatenate([one.log_probs for one in partner])


def _mixed(
    first_NK: NDArray[np.float64], second_NK: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    mixed: NDArray[np.float64] = (1 - share) * first_NK + share * second_NK
    return mixed
