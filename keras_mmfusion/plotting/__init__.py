"""Figures for papers and debugging; all need the extra `plot`."""

from keras_mmfusion.plotting.attention_maps import (
    plot_attention_maps,
    plot_cross_attention,
)
from keras_mmfusion.plotting.attention_shares import (
    ClassShares,
    class_shares,
    modality_shares,
    plot_class_shares,
)
from keras_mmfusion.plotting.block_attention import plot_block_attention
from keras_mmfusion.plotting.confusion import plot_confusion, plot_scatter
from keras_mmfusion.plotting.curves import plot_training_curves
from keras_mmfusion.plotting.gate_timeline import (
    iterate_weights,
    plot_gate_timeline,
)
from keras_mmfusion.plotting.modality_graph import plot_modality_graph
from keras_mmfusion.plotting.representations import (
    plot_representations,
    principal_plane,
)
from keras_mmfusion.plotting.robustness import plot_robustness

__all__ = [
    "ClassShares",
    "class_shares",
    "iterate_weights",
    "modality_shares",
    "plot_attention_maps",
    "plot_block_attention",
    "plot_class_shares",
    "plot_confusion",
    "plot_cross_attention",
    "plot_gate_timeline",
    "plot_modality_graph",
    "plot_representations",
    "plot_robustness",
    "plot_scatter",
    "plot_training_curves",
    "principal_plane",
]
