"""A stack of dense layers for one feature vector per sample."""

from collections.abc import Sequence
from typing import Any

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.layers.masked_dense import MaskedDense
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed


@register()
class DenseEncoder(Encoder):
    """Reads one vector per sample with dense layers and ReLU.

    Args:
        features: Width of the vector.
        units: Width of every dense layer, or a list of widths.
        layers: Number of dense layers, if `units` is one width. Stage i is
            called `dense<i>`, from 1.
        dropout: Rate of dropout on the input of every layer.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.
        batch_norm: Whether to normalise before every ReLU.

    Call arguments:
        inputs: Float tensor of shape (B, features).

    Returns:
        Float tensor of shape (B, units of the last layer). A vector of zeros is
        a missing modality and gives zeros.

    Raises:
        ValueError: If a size is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.DenseEncoder(features=4, units=8, name="image")
    print(encoder(np.ones((2, 4), "float32")).shape)  # (2, 8)
    ```
    """

    def __init__(
        self,
        features: int,
        units: int | Sequence[int],
        layers: int = 2,
        dropout: float = 0.0,
        name: str = "dense_encoder",
        seed: int | None = None,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        widths = [units] * layers if isinstance(units, int) else list(units)
        if min([features, layers, *widths]) < 1 or not widths:
            raise ValueError(
                "`features`, `units` and `layers` must be at least 1. "
                f"Received: features={features}, units={units}, "
                f"layers={layers}"
            )
        stages = {
            f"dense{i}": MaskedDense(
                width,
                activation="relu",
                dropout=dropout,
                seed=part_seed(seed, f"{name}_dense{i}"),
                batch_norm=batch_norm,
                name=f"{name}_dense{i}",
            )
            for i, width in enumerate(widths, start=1)
        }
        super().__init__((features,), stages, name=name, **kwargs)
        self.features = features
        self.units = units if isinstance(units, int) else widths
        self.num_layers = layers
        self.dropout = dropout
        self.seed = seed
        self.batch_norm = batch_norm

    def get_config(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "units": self.units,
            "layers": self.num_layers,
            "dropout": self.dropout,
            "name": self.name,
            "seed": self.seed,
            "batch_norm": self.batch_norm,
        }
