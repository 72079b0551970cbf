"""Published multimodal fusion networks for Keras 3.

```python
import keras_mmfusion as mmf

print(sorted(mmf.models.MSAF.presets()))
```
"""

from keras_mmfusion import (
    convert,
    data,
    encoders,
    evaluation,
    layers,
    losses,
    metrics,
    models,
    plotting,
    presets,
)

__version__ = "0.1.0"

__all__ = [
    "convert",
    "data",
    "encoders",
    "evaluation",
    "layers",
    "losses",
    "metrics",
    "models",
    "plotting",
    "presets",
]
