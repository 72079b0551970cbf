"""The skeleton network of MSAF on NTU RGB+D: hierarchical co-occurrence."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform
from keras_mmfusion.encoders.pooling import max_pool
from keras_mmfusion.encoders.stretch_frames import StretchFrames, motion_matrix
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor


@register()
class HCNEncoder(Encoder):
    """Reads the joints of one or more persons as a map over time and joints.

    The valid frames of a sample are stretched over `steps` frames by linear
    interpolation. The positions of every person, and their motion (frame
    differences, stretched over as many steps), run through weights of their
    own that all persons share:

        1x1 conv 64, ReLU | 3x1 conv 32 over time | joints become channels |
        3x3 conv 32, pool | 3x3 conv 64, dropout, pool

    Positions and motion are put side by side, and a person goes on with

        3x3 conv 128, ReLU, dropout, pool | 3x3 conv 256, ReLU, dropout, pool

    Then the maximum over the persons, and a dense layer with ReLU and
    dropout. Between `conv4` and `conv6` the persons are streams of their own,
    which a fusion takes as separate modalities.

    Args:
        joints: Number of joints.
        persons: Number of persons; one that is not there is all zeros.
        coordinates: Values per joint, 3 for positions in space.
        steps: Number of frames that the network sees.
        features: Width of the output.
        dropout: Rate of dropout, of whole channels in the convolutions.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, persons, joints, coordinates),
            zero-padded at the end of T.

    Returns:
        Float tensor of shape (B, features). A skeleton of zeros gives zeros.
        The stages are `resize`, `conv4`, `conv5`, `conv6`, `fc7`; `conv4` and
        `conv5` return a dict of `person1`, `person2`, ... to maps
        (B, steps / 4, 8, 128) and (B, steps / 8, 4, 128).

    Raises:
        ValueError: If a size is less than 1, or `steps` less than 2.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.HCNEncoder(joints=20, persons=1)
    x = np.ones((2, 50, 1, 20, 3), "float32")
    print(encoder.predict(x, verbose=0).shape)  # (2, 512)
    ```

    Reference:
        Li et al., Co-occurrence Feature Learning from Skeleton Data, arXiv
        1804.06055. With the official weights of MSAF on NTU RGB+D and 32
        frames the outputs are the official ones, which resizes the frames
        before the network. A skeleton that is missing as a whole gives zeros
        here; a person that is missing gives what the biases give.
    """

    axes = ("frames", "persons", "joints", "coordinates")

    def __init__(
        self,
        joints: int = 25,
        persons: int = 2,
        coordinates: int = 3,
        steps: int = 32,
        features: int = 512,
        dropout: float = 0.4,
        name: str = "hcn_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        if min(joints, persons, coordinates, features) < 1 or steps < 2:
            raise ValueError(
                "`joints`, `persons`, `coordinates` and `features` must be at "
                "least 1, `steps` at least 2. Received: "
                f"joints={joints}, persons={persons}, "
                f"coordinates={coordinates}, features={features}, steps={steps}"
            )

        def own(stage: str) -> int | None:
            return part_seed(seed, f"{name}_{stage}")

        stages: dict[str, keras.layers.Layer] = {
            "resize": StretchFrames(steps, name=f"{name}_resize"),
            "conv4": PositionAndMotion(
                persons, dropout, own("conv4"), name=f"{name}_conv4"
            ),
            "conv5": PersonConvolution(
                128, dropout, own("conv5"), name=f"{name}_conv5"
            ),
            "conv6": PersonConvolution(
                256, dropout, own("conv6"), join=True, name=f"{name}_conv6"
            ),
            "fc7": DenseOutput(
                features, dropout, own("fc7"), name=f"{name}_fc7"
            ),
        }
        shape = (None, persons, joints, coordinates)
        super().__init__(shape, stages, name=name, **kwargs)
        self.joints = joints
        self.persons = persons
        self.coordinates = coordinates
        self.steps = steps
        self.features = features
        self.dropout = dropout
        self.seed = seed

    def mask_after(self, stage: str, mask: Tensor) -> Tensor:
        """All steps that a stage gives, or none if the skeleton is missing."""
        present = ops.any(mask, axis=1, keepdims=True)
        stride = {"conv4": 4, "conv5": 8, "conv6": 16}.get(stage, 1)
        return ops.tile(present, (1, -(-self.steps // stride)))

    def get_config(self) -> dict[str, Any]:
        return {
            "joints": self.joints,
            "persons": self.persons,
            "coordinates": self.coordinates,
            "steps": self.steps,
            "features": self.features,
            "dropout": self.dropout,
            "name": self.name,
            "seed": self.seed,
        }


@register_inner
class PositionAndMotion(EncoderStage):
    """Frames (B, T, persons, joints, C) to a map of every person."""

    def __init__(
        self, persons: int, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.persons = persons
        self.networks = [
            JointNetwork(
                dropout,
                part_seed(seed, name),
                name=name,
                dtype=self.dtype_policy,
            )
            for name in ("position", "motion")
        ]

    def build(self, input_shape: Shape) -> None:
        batch, steps, _, joints, coordinates = input_shape
        for network in self.networks:
            network.build((batch, steps, joints, coordinates))
        self._motion = motion_matrix(int(steps or 0))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        # The persons one below the other: they share the weights.
        people = [inputs[:, :, i] for i in range(self.persons)]
        x = ops.concatenate(people, axis=0)
        matrix = ops.convert_to_tensor(self._motion, dtype=x.dtype)
        motion = ops.einsum("st,btjc->bsjc", matrix, x)
        position, moving = (
            network(y, training=training)
            for network, y in zip(self.networks, (x, motion), strict=True)
        )
        y = ops.concatenate([position, moving], axis=-1)
        return _as_streams(y, self.persons)

    def compute_output_shape(self, input_shape: Shape) -> dict[str, Shape]:
        batch, steps, persons, *person = input_shape
        shape = self.networks[0].compute_output_shape((batch, steps, *person))
        shape = (*shape[:-1], 2 * int(shape[-1] or 0))
        return {_stream(i): shape for i in range(int(persons or 0))}


class JointNetwork(EncoderStage):
    """Positions or motion of one person up to the fourth convolution."""

    def __init__(self, dropout: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.conv1 = _conv(64, 1, "conv1", policy, "relu")
        self.conv2 = _conv(32, (3, 1), "conv2", policy)
        self.conv3 = _conv(32, 3, "conv3", policy)
        self.conv4 = _conv(64, 3, "conv4", policy)
        self.dropout = _drop_channels(dropout, seed, policy)

    def build(self, input_shape: Shape) -> None:
        batch, steps, joints, _ = input_shape
        self.conv1.build(input_shape)
        self.conv2.build((batch, steps, joints, 64))
        self.conv3.build((batch, steps, 32, joints))
        self.conv4.build((batch, steps, 16, 32))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        x = self.conv2(self.conv1(inputs))
        # Every joint is a channel of the map over time and features.
        x = ops.transpose(x, (0, 1, 3, 2))
        x = _halve(self.conv3(x))
        return _halve(self.dropout(self.conv4(x), training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], _half(_half(input_shape[1])), 8, 64)


@register_inner
class PersonConvolution(EncoderStage):
    """3x3 convolution, ReLU, dropout and pooling of every person.

    Args:
        filters: Number of output channels.
        dropout: Rate of dropout of whole channels.
        seed: Of the dropout.
        join: Whether to return the maximum over the persons.
    """

    def __init__(
        self,
        filters: int,
        dropout: float,
        seed: int | None,
        join: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.join = join
        self.conv = _conv(filters, 3, "conv", self.dtype_policy, "relu")
        self.dropout = _drop_channels(dropout, seed, self.dtype_policy)

    def build(self, input_shape: Mapping[str, Shape]) -> None:
        self.conv.build(input_shape[_stream(0)])
        self.built = True

    def call(
        self,
        inputs: Mapping[str, Tensor],
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        people = [inputs[_stream(i)] for i in range(len(inputs))]
        x = self.conv(ops.concatenate(people, axis=0))
        x = _halve(self.dropout(x, training=training))
        streams = _as_streams(x, len(people))
        if not self.join:
            return streams
        return ops.max(ops.stack(list(streams.values())), axis=0)

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Any:
        batch, steps, features, _ = input_shape[_stream(0)]
        shape = (batch, _half(steps), _half(features), self.conv.filters)
        return shape if self.join else dict.fromkeys(input_shape, shape)


@register_inner
class DenseOutput(EncoderStage):
    """Flattened map through a dense layer, ReLU and dropout."""

    def __init__(
        self, units: int, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(
            units, "relu", name="dense", dtype=self.dtype_policy
        )
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        size = int(np.prod([n or 0 for n in input_shape[1:]]))
        self.dense.build((None, size))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.dense(ops.reshape(inputs, (-1, self.dense.kernel.shape[0])))
        x = self.dropout(x, training=training)
        if mask is None:
            return x
        return x * ops.cast(ops.any(mask, axis=1, keepdims=True), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dense.units)


def _stream(i: int) -> str:
    return f"person{i + 1}"


def _as_streams(x: Tensor, persons: int) -> dict[str, Tensor]:
    """Maps of all persons, one below the other, as a dict."""
    parts = ops.split(x, persons, axis=0)
    return {_stream(i): part for i, part in enumerate(parts)}


def _conv(
    filters: int,
    size: int | tuple[int, int],
    name: str,
    policy: Any,
    activation: str | None = None,
) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters,
        size,
        padding="same",
        data_format="channels_last",
        activation=activation,
        kernel_initializer=FlatGlorotUniform(),
        name=name,
        dtype=policy,
    )


def _drop_channels(
    rate: float, seed: int | None, policy: Any
) -> keras.layers.SpatialDropout2D:
    return keras.layers.SpatialDropout2D(
        rate,
        data_format="channels_last",
        seed=seed,
        name="dropout",
        dtype=policy,
    )


def _halve(x: Tensor) -> Tensor:
    """2 x 2 max pooling that keeps an odd last row."""
    x = ops.pad(
        x, [[0, 0], [0, 1], [0, 1], [0, 0]], constant_values=float("-inf")
    )
    return max_pool(x, 2, 2)


def _half(n: int | None) -> int | None:
    return None if n is None else -(-n // 2)
