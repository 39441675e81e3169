"""A model of the user's own that refuses one of its settings, as bad values do."""

from agreed import REFUSED, SAYS

from raysearch.models.cnn import Cnn

__all__ = ["RefusingCnn"]


class RefusingCnn(Cnn):
    """Raises at one dropout."""

    def __init__(self, config, shapes, num_classes):
        super().__init__(config, shapes, num_classes)
        if config.dropout == REFUSED:
            raise ValueError(SAYS)
