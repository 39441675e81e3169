"""A support vector machine on statistics of an utterance, the classical baseline.

One of the baselines of "Amplifying Emotional Signals" (arXiv 2509.00077), which gives no settings.
Scikit-learn solves it (libsvm, one against one). Its scores are votes, good for a ranking; where
probabilities are wanted, ``logistic`` has them.

Axes: B batch, N training rows, D features, C components, S support vectors, P pairs of classes,
K emotions.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.models.base import ModelConfig
from raysearch.models.described import DescribedConfig, DescribedModel

if TYPE_CHECKING:
    from sklearn.svm import SVC

__all__ = ["Svm", "SvmConfig"]

ALWAYS_MM = "use_mm_for_euclid_dist"


class SvmConfig(DescribedConfig):
    """Which statistics the machine reads, and its two constants."""

    name: str = Field("svm", description="which architecture this is")
    kernel: Literal["linear", "rbf"] = Field("rbf", description="linear, or radial basis function")
    c: float = Field(1.0, gt=0, le=1e6, description="C: the price of a row inside the margin")
    gamma: float = Field(0.01, gt=0, le=1e3, description="width of the rbf kernel, 1 / (2 sigma^2)")


class Svm(DescribedModel):
    """The machine; arguments as ``DescribedModel``'s."""

    Config: ClassVar[type[ModelConfig]] = SvmConfig
    config: SvmConfig

    support_SC: Tensor
    weights_PS: Tensor
    bias_P: Tensor
    classes_P2: Tensor

    def __init__(
        self, config: SvmConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        num_pairs = num_classes * (num_classes - 1) // 2
        self.register_buffer("support_SC", torch.zeros(0, self._num_features))
        self.register_buffer("weights_PS", torch.zeros(num_pairs, 0))
        self.register_buffer("bias_P", torch.zeros(num_pairs))
        self.register_buffer("classes_P2", torch.tensor(list(combinations(range(num_classes), 2))))

    def solve(
        self, x_ND: np.ndarray, labels_N: np.ndarray, weights_K: np.ndarray, seed: int
    ) -> None:
        """As ``SolvedModel.solve``; a class without rows is never predicted, ``seed`` not used."""
        del seed
        # Here, not above: scikit-learn takes seconds, which reading settings need not wait for.
        from sklearn.svm import SVC

        x_NC = self.fit_scale(x_ND)
        machine = SVC(
            C=self.config.c,
            kernel=self.config.kernel,
            gamma=self.config.gamma,
            class_weight={k: weights_K[k] for k in np.unique(labels_N)},
        ).fit(x_NC, labels_N)
        weights_PS, bias_P, classes_P2 = _pairs(machine)
        self.keep(
            support_SC=machine.support_vectors_,
            weights_PS=weights_PS,
            bias_P=bias_P,
            classes_P2=classes_P2,
        )

    def classify(self, x_BD: Tensor) -> Tensor:
        """Votes of the pairs, ties broken by their margins, as scikit-learn's ``ovr`` function."""
        margin_BP = self._kernel(self.scaled(x_BD)) @ self.weights_PS.T + self.bias_P
        first_P, second_P = self.classes_P2.T
        shape = (x_BD.shape[0], self._num_classes)
        votes_BK = torch.zeros(shape, device=x_BD.device)
        sums_BK = torch.zeros(shape, device=x_BD.device)
        for classes_P, sign in ((first_P, 1.0), (second_P, -1.0)):
            votes_BK.index_add_(1, classes_P, (sign * margin_BP > 0).to(votes_BK.dtype))
            sums_BK.index_add_(1, classes_P, sign * margin_BP)
        return votes_BK + sums_BK / (3 * (sums_BK.abs() + 1))

    @property
    def num_params(self) -> int:
        """Coefficients and intercepts of the pairs' machines."""
        return self.weights_PS.numel() + self.bias_P.numel()

    def _kernel(self, x_BC: Tensor) -> Tensor:
        if self.config.kernel == "linear":
            return x_BC @ self.support_SC.T
        # What cdist would choose for so many support vectors, without a look at the batch's size,
        # which an exported graph leaves open.
        mode = ALWAYS_MM if len(self.support_SC) > 25 else f"{ALWAYS_MM}_if_necessary"
        distance_BS = torch.cdist(x_BC, self.support_SC, compute_mode=mode)
        return torch.exp(-self.config.gamma * distance_BS.square())


def _pairs(machine: "SVC") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (P, S), biases (P,) and classes (P, 2); a positive margin is for the first class.

    libsvm stores, a support vector of class i, its coefficient against class j in row j - 1 if
    j > i, else in row j. With two classes scikit-learn shows both arrays negated.
    """
    sign = -1.0 if len(machine.classes_) == 2 else 1.0
    edges = np.concatenate([[0], np.cumsum(machine.n_support_)])
    rows, classes = [], []
    for i, j in combinations(range(len(machine.classes_)), 2):
        weights_S = np.zeros(edges[-1])
        weights_S[edges[i] : edges[i + 1]] = machine.dual_coef_[j - 1, edges[i] : edges[i + 1]]
        weights_S[edges[j] : edges[j + 1]] = machine.dual_coef_[i, edges[j] : edges[j + 1]]
        rows.append(sign * weights_S)
        classes.append((machine.classes_[i], machine.classes_[j]))
    return np.stack(rows), sign * machine.intercept_, np.array(classes)
