"""A support vector machine on statistics of an utterance, the classical baseline.

One of the baselines of "Amplifying Emotional Signals" (arXiv 2509.00077), which gives no settings.
Frames become mean and deviation over the utterance, features are standardised on training rows
and, if asked, reduced by PCA; scikit-learn solves the SVM (libsvm, one against one). The solution
is kept as tensors, so that it is saved, loaded and scored as any network's weights.

Axes: B batch, T frames, F bins, D features, C components, S support vectors, P pairs of classes,
K emotions.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import ModelConfig, SolvedModel
from raysearch.models.layers.beside import masked_mean_std

if TYPE_CHECKING:
    from sklearn.svm import SVC

__all__ = ["Svm", "SvmConfig"]

# In the space's words: the streams, joined by "+".
SvmInputs = Literal["mel", "mfcc", "egemaps", "mel+prosody", "mfcc+prosody", "egemaps+prosody"]


class SvmConfig(ModelConfig):
    """Which statistics, and the machine's two constants."""

    name: str = Field("svm", description="which architecture this is")
    inputs: SvmInputs = Field("mfcc", description="the streams, joined by '+'")
    kernel: Literal["linear", "rbf"] = Field("rbf", description="linear, or radial basis function")
    c: float = Field(1.0, gt=0, le=1e6, description="C: the price of a row inside the margin")
    gamma: float = Field(0.01, gt=0, le=1e3, description="width of the rbf kernel, 1 / (2 sigma^2)")
    pca: float | None = Field(
        None, gt=0, lt=1, description="share of the variance that PCA keeps; null is no PCA"
    )


class Svm(SolvedModel):
    """The machine; an utterance is one row, so give ``training.clip_s`` its largest value.

    Args:
        config: inputs and constants.
        shapes: the streams that ``config.inputs`` names.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = SvmConfig
    config: SvmConfig
    streams: ClassVar[tuple[str, ...]] = ("mfcc",)
    stream_fields: ClassVar[tuple[str, ...]] = ("inputs",)

    def __init__(
        self, config: SvmConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self._vectors = {name for name, shape in shapes.items() if shape.kind == "vector"}
        num_features = sum(
            shapes[name].num_bins * (1 if name in self._vectors else 2)
            for name in self.required_streams(config)
        )
        num_pairs = num_classes * (num_classes - 1) // 2
        self._num_classes = num_classes
        self.register_buffer("mean_D", torch.zeros(num_features))
        self.register_buffer("scale_D", torch.ones(num_features))
        self.register_buffer("components_CD", torch.zeros(0, num_features))
        self.register_buffer("support_SC", torch.zeros(0, num_features))
        self.register_buffer("weights_PS", torch.zeros(num_pairs, 0))
        self.register_buffer("bias_P", torch.zeros(num_pairs))
        self.register_buffer("classes_P2", torch.tensor(list(combinations(range(num_classes), 2))))

    mean_D: Tensor
    scale_D: Tensor
    components_CD: Tensor
    support_SC: Tensor
    weights_PS: Tensor
    bias_P: Tensor
    classes_P2: Tensor

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """The streams of ``config.inputs``."""
        assert isinstance(config, SvmConfig)
        return tuple(config.inputs.split("+"))

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse normalisation by utterance: means and deviations would all be 0 and 1."""
        del config, features
        if normalise == "utterance":
            raise ValueError(
                f"training.normalise is {normalise!r}, which leaves an SVM nothing to learn from:"
                " set it to train_bin"
            )

    def describe(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Mean and deviation of each bin over the valid frames, x_BD; vectors as they are."""
        parts = []
        for stream in self.required_streams(self.config):
            x_BTF = inputs[stream].double()
            if stream in self._vectors:
                parts.append(x_BTF[:, 0])
                continue
            parts.append(masked_mean_std(x_BTF, lengths[stream]))
        return torch.cat(parts, dim=1).float()

    def solve(
        self, x_ND: np.ndarray, labels_N: np.ndarray, weights_K: np.ndarray, seed: int
    ) -> None:
        """As ``SolvedModel.solve``; a class without rows is never predicted, ``seed`` not used."""
        del seed
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        scaler = StandardScaler().fit(x_ND)
        x_NC = scaler.transform(x_ND)
        components_CD = np.zeros((0, x_ND.shape[1]))
        if self.config.pca is not None:
            # Standardised rows have mean 0, so projecting is all that PCA does.
            pca = PCA(self.config.pca, svd_solver="full").fit(x_NC)
            components_CD = pca.components_
            x_NC = x_NC @ components_CD.T
        machine = SVC(
            C=self.config.c,
            kernel=self.config.kernel,
            gamma=self.config.gamma,
            class_weight={k: weights_K[k] for k in np.unique(labels_N)},
        ).fit(x_NC, labels_N)
        weights_PS, bias_P, classes_P2 = _pairs(machine)
        solution = {
            "mean_D": scaler.mean_,
            "scale_D": scaler.scale_,
            "components_CD": components_CD,
            "support_SC": machine.support_vectors_,
            "weights_PS": weights_PS,
            "bias_P": bias_P,
            "classes_P2": classes_P2,
        }
        for name, values in solution.items():
            old = self.get_buffer(name)
            self.register_buffer(name, torch.from_numpy(values).to(old.device, old.dtype))

    def classify(self, x_BD: Tensor) -> Tensor:
        """Votes of the pairs, ties broken by their margins, as scikit-learn's ``ovr`` function."""
        x_BC = (x_BD - self.mean_D) / self.scale_D
        if len(self.components_CD):
            x_BC = x_BC @ self.components_CD.T
        margin_BP = self._kernel(x_BC) @ self.weights_PS.T + self.bias_P
        first_P, second_P = self.classes_P2.T
        shape = (len(x_BD), self._num_classes)
        votes_BK = torch.zeros(shape, device=x_BD.device)
        sums_BK = torch.zeros(shape, device=x_BD.device)
        for classes_P, sign in ((first_P, 1.0), (second_P, -1.0)):
            votes_BK.index_add_(1, classes_P, (sign * margin_BP > 0).to(votes_BK.dtype))
            sums_BK.index_add_(1, classes_P, sign * margin_BP)
        return votes_BK + sums_BK / (3 * (sums_BK.abs() + 1))

    def reshape_for(self, tensors: Mapping[str, Tensor]) -> None:
        """Make room for another number of support vectors, components and pairs."""
        for name, old in list(self.named_buffers()):
            new = tensors.get(name)
            # Every other difference, such as other features, stays for the loader to name.
            if new is not None and new.dim() == old.dim() and name != "mean_D":
                self.register_buffer(name, torch.zeros_like(new, device=old.device))

    @property
    def num_params(self) -> int:
        """Coefficients and intercepts of the pairs' machines."""
        return self.weights_PS.numel() + self.bias_P.numel()

    def _kernel(self, x_BC: Tensor) -> Tensor:
        if self.config.kernel == "linear":
            return x_BC @ self.support_SC.T
        return torch.exp(-self.config.gamma * torch.cdist(x_BC, self.support_SC).square())


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
