"""eGeMAPSv02: 88 functionals an utterance (Eyben et al. 2016, IEEE TAC), by openSMILE.

An extra: ``pip install "raysearch[opensmile]"``. openSMILE is audEERING's, free for research and
private use; see its licence before any other.

Axis letters: N samples, F functionals.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from raysearch.errors import UserError
from raysearch.features.extractor import Extractor, FeatureConfig, StreamKind

__all__ = ["Egemaps", "EgemapsConfig"]

NUM_FUNCTIONALS = 88
# openSMILE gives nothing for less than a few frames; its pitch window is the longest.
MIN_SECONDS = 0.1


class EgemapsConfig(FeatureConfig):
    """The settings of eGeMAPS: the sample rate alone, as the set is fixed."""

    extractor: Literal["egemaps"] = Field("egemaps", description="The eGeMAPS extractor.")

    def check_external_files(self) -> None:
        """Look for the ``opensmile`` package.

        Raises:
            UserError: it is not installed.
        """
        if find_spec("opensmile") is None:
            raise UserError(
                'the extractor egemaps needs openSMILE: pip install "raysearch[opensmile]"'
            )


class Egemaps(Extractor):
    """Computes the eGeMAPS functionals, one row an utterance."""

    Config: ClassVar[type[EgemapsConfig]] = EgemapsConfig
    kind: StreamKind = "vector"
    config: EgemapsConfig

    def __init__(self, config: EgemapsConfig) -> None:
        self.config = config
        self.num_bins = NUM_FUNCTIONALS
        self.floor = 0.0
        self.frames_per_second = 0.0

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (1, F)."""
        rate = self.config.sample_rate
        found = []
        for waveform_N in waveforms:
            missing = max(0, round(MIN_SECONDS * rate) - len(waveform_N))
            row_F = self._smile(np.pad(waveform_N, (0, missing)), rate)
            found.append(np.nan_to_num(np.asarray(row_F, np.float32).reshape(1, -1)))
        return found

    @cached_property
    def _smile(self) -> Any:
        self.config.check_external_files()
        # Here, not above: it is optional, and costs a second.
        import opensmile

        return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
