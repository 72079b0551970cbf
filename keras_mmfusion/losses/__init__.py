"""Losses that come with the published methods."""

from keras_mmfusion.losses.concordance import ConcordanceLoss

__all__ = ["ConcordanceLoss"]
