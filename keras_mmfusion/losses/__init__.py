"""Losses that come with the published methods."""

from keras_mmfusion.losses.concordance import ConcordanceLoss
from keras_mmfusion.losses.hsic import HSIC

__all__ = ["HSIC", "ConcordanceLoss"]
