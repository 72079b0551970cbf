"""Steps of training and prediction in which loops over time are compiled."""

from typing import Any

from keras_mmfusion.ops.compiled import compiling


class CompiledSteps:
    """A mixin of `keras.Model`: whatever a step calls is called `compiling`."""

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        with compiling():
            return super().train_step(*args, **kwargs)  # type: ignore[misc]

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        with compiling():
            return super().test_step(*args, **kwargs)  # type: ignore[misc]

    def predict_step(self, *args: Any, **kwargs: Any) -> Any:
        with compiling():
            return super().predict_step(*args, **kwargs)  # type: ignore[misc]
