"""A model of the user's own, named by dotted path, some of whose settings fail."""

from raysearch.models.emohrnet import EmoHRNet


class FailingHRNet(EmoHRNet):
    """Raises at width 12; gives a loss that is not finite at width 16."""

    def __init__(self, config, shapes, num_classes):
        super().__init__(config, shapes, num_classes)
        self.width = config.width

    def forward(self, inputs, lengths):
        if self.width == 12:
            raise ValueError("this model refuses width 12")
        logits_BK = super().forward(inputs, lengths)
        return logits_BK * float("nan") if self.width == 16 else logits_BK
