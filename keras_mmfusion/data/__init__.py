"""Readers and writers of community formats, data sets, batches, corruptions."""

from keras_mmfusion.data.columns import (
    Column,
    Padded,
    Ragged,
    Vectors,
    padding_side,
)
from keras_mmfusion.data.dataset import MultimodalDataset, Split

__all__ = [
    "Column",
    "MultimodalDataset",
    "Padded",
    "Ragged",
    "Split",
    "Vectors",
    "padding_side",
]
