"""Figures for papers and debugging; all need the extra `plot`."""

from keras_mmfusion.plotting.block_attention import (
    modality_shares,
    plot_block_attention,
)

__all__ = ["modality_shares", "plot_block_attention"]
