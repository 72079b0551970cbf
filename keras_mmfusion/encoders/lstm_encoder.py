"""A stack of LSTMs for a sequence of feature vectors."""

from typing import Any

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.layers.lstm import LSTM
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed


@register()
class LSTMEncoder(Encoder):
    """Reads a sequence with stacked LSTMs and returns the last valid output.

    Args:
        features: Width of the feature vectors.
        units: Width of every LSTM.
        layers: Number of LSTMs. Stage i is called `lstm<i>`, from 1; all but
            the last return sequences.
        dropout: Rate of dropout on the input of every LSTM.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, features), zero-padded at the end.

    Returns:
        Float tensor of shape (B, units). A sample of zeros only gives zeros.

    Raises:
        ValueError: If a size is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.LSTMEncoder(features=40, units=8, name="audio")
    print(encoder(np.ones((2, 30, 40), "float32")).shape)  # (2, 8)
    ```

    Reference:
        The unimodal networks of MSAF on CMU-MOSEI, arXiv 2012.07175; PyTorch's
        two LSTM biases, which only ever act as their sum, are one here.
    """

    def __init__(
        self,
        features: int,
        units: int,
        layers: int = 2,
        dropout: float = 0.0,
        name: str = "lstm_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        if min(features, units, layers) < 1:
            raise ValueError(
                "`features`, `units` and `layers` must be at least 1. "
                f"Received: features={features}, units={units}, "
                f"layers={layers}"
            )
        stages = {
            f"lstm{i}": LSTM(
                units,
                return_sequences=i < layers,
                dropout=dropout,
                seed=part_seed(seed, f"{name}_lstm{i}"),
                name=f"{name}_lstm{i}",
            )
            for i in range(1, layers + 1)
        }
        super().__init__((None, features), stages, name=name, **kwargs)
        self.features = features
        self.units = units
        self.num_layers = layers
        self.dropout = dropout
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "units": self.units,
            "layers": self.num_layers,
            "dropout": self.dropout,
            "name": self.name,
            "seed": self.seed,
        }
