"""A tiny registered model with two same-shaped twin branches."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion import presets, registry

MODALITIES = ("audio", "text")


@registry.register("TinyTwins")
class TinyTwins(keras.Model):
    """Audio and text of one width through one projection and LSTM each."""

    def __init__(
        self,
        width: int = 3,
        units: int = 4,
        num_classes: int = 2,
        order: tuple[str, ...] = MODALITIES,
        name: str | None = None,
    ) -> None:
        inputs = {
            m: keras.Input((None, width), name=m, dtype="float32")
            for m in MODALITIES
        }
        branches = {}
        for m in order:
            x = keras.layers.Dense(units, name=f"{m}_projection")(inputs[m])
            x = keras.layers.LSTM(
                units,
                dropout=0.1,
                # The default needs LAPACK, which has no half precision.
                recurrent_initializer="glorot_uniform",
                name=f"{m}_encoder",
            )(x)
            branches[m] = keras.layers.BatchNormalization(name=f"{m}_norm")(x)
        joint = keras.layers.Concatenate(name="joint")(
            [branches[m] for m in MODALITIES]
        )
        output = keras.layers.Dense(num_classes, name="head")(joint)
        super().__init__(inputs=inputs, outputs=output, name=name)
        self.width, self.units = width, units
        self.num_classes, self.order = num_classes, tuple(order)
        self.compile()

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        if not presets.postpone(lambda: self.compile(optimizer, **kwargs)):
            super().compile(optimizer, loss="mse", **kwargs)

    def head_weight_names(self) -> list[str]:
        return ["head"]

    def get_config(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "units": self.units,
            "num_classes": self.num_classes,
            "order": list(self.order),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "TinyTwins":
        return cls(**config)


def tiny(seed: int = 0, **arguments: Any) -> TinyTwins:
    """Returns a model whose every weight is a known random number."""
    model = TinyTwins(**arguments)
    generator = np.random.default_rng(seed)
    for name, weight in presets.named_weights(model).items():
        value = generator.normal(size=weight.shape)
        value = np.abs(value) + 0.5 if "variance" in name else value
        weight.assign(value.astype("float32"))
    return model


def values(model: Any) -> dict[str, np.ndarray]:
    """Returns copies of all named weights."""
    return {
        name: np.array(keras.ops.convert_to_numpy(weight.value))
        for name, weight in presets.named_weights(model).items()
    }


def batch(width: int = 3) -> dict[str, np.ndarray]:
    """Returns a small random input."""
    generator = np.random.default_rng(7)
    return {
        m: generator.normal(size=(2, 5, width)).astype("float32")
        for m in MODALITIES
    }


def same(left: Any, right: Any) -> None:
    """Raises unless two models have equal weights under equal names."""
    a, b = values(left), values(right)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def saved(directory: Path, seed: int = 0, **metadata: Any) -> Path:
    """Saves a tiny model and returns its directory."""
    presets.save_preset(tiny(seed), directory, metadata or None)
    return directory


def files_of(directory: Path) -> dict[str, bytes]:
    """Returns the contents of a directory's files by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
