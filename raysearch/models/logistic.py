"""Multinomial logistic regression on statistics of an utterance.

The plainest model of emotion by functionals, and one whose log-odds are probabilities: what a
network's are averaged with. The L2 penalty is scikit-learn's, which solves it (L-BFGS): the sum of
the rows' weighted losses plus half the squared weights over ``c``.

Axes: B batch, N training rows, D features, C components, K emotions.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.models.base import ModelConfig
from raysearch.models.described import DescribedConfig, DescribedModel

__all__ = ["Logistic", "LogisticConfig"]

MAX_STEPS = 10_000
# The log-odds of an emotion without training rows: finite, so that a loss stays finite.
NEVER = -30.0


class LogisticConfig(DescribedConfig):
    """Which statistics, and how strongly the weights are held back."""

    name: str = Field("logistic", description="which architecture this is")
    c: float = Field(
        0.03, gt=0, le=1e6, description="C: the weight of the rows' losses against the L2 penalty"
    )


class Logistic(DescribedModel):
    """The regression; arguments as ``DescribedModel``'s."""

    Config: ClassVar[type[ModelConfig]] = LogisticConfig
    config: LogisticConfig

    weights_KC: Tensor
    bias_K: Tensor

    def __init__(
        self, config: LogisticConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self.register_buffer("weights_KC", torch.zeros(num_classes, self._num_features))
        self.register_buffer("bias_K", torch.zeros(num_classes))

    def solve(
        self, x_ND: np.ndarray, labels_N: np.ndarray, weights_K: np.ndarray, seed: int
    ) -> None:
        """As ``SolvedModel.solve``; the optimum is unique, so ``seed`` is not used."""
        del seed
        # Here, not above: scikit-learn takes seconds, which reading settings need not wait for.
        from sklearn.linear_model import LogisticRegression

        x_NC = self.fit_scale(x_ND)
        fitted = LogisticRegression(
            C=self.config.c,
            class_weight={k: weights_K[k] for k in np.unique(labels_N)},
            max_iter=MAX_STEPS,
        ).fit(x_NC, labels_N)
        coefficients, intercepts = fitted.coef_, fitted.intercept_
        if len(fitted.classes_) == 2:
            # One row, for the second class: half of it each way has the same differences.
            coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
            intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
        weights_KC = np.zeros((self._num_classes, x_NC.shape[1]))
        bias_K = np.full(self._num_classes, NEVER)
        weights_KC[fitted.classes_], bias_K[fitted.classes_] = coefficients, intercepts
        self.keep(weights_KC=weights_KC, bias_K=bias_K)

    def classify(self, x_BD: Tensor) -> Tensor:
        """Log-odds: their softmax is the probability of each emotion."""
        return self.scaled(x_BD) @ self.weights_KC.T + self.bias_K

    @property
    def num_params(self) -> int:
        """The number of weights and intercepts."""
        return self.weights_KC.numel() + self.bias_K.numel()
