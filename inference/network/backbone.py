"""What every backbone is to the head and to whoever loads weights into it."""

from torch import nn


class Backbone(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """The features of a network: (n, 3, size, size) to (n, channels, h, w), without a classifier.

    Attributes:
        channels: how many features it gives.
    """

    channels: int

    def own_key(self, key: str) -> str:
        """Return our name of a weight that timm publishes under ``key``; the same where the layouts are one."""
        return key
